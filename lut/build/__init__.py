"""Tables that are measured: in context, layer by layer, from networks end to end; records, checkpoint, assembly.

Everything here runs models on this machine, or puts together what such runs gave. What is fitted without a device is in
`lut.estimate`.
"""
