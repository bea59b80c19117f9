"""Once-for-all's own files; whoever reads another of its formats does it here, for other rooms know ours only.

net.config, run.config of one network      net_config.py (layers), network_files.py (which space has them)
supernets, ofa_nets/ofa_…                  torch_file.py (no code is run), state_dict.py, checkpoint.py
what a file of weights is                  facts.py
acc_predictor.pth                          predictor.py
addresses of all public files              catalogue.py, fetched by `hwnas.fetch`
padded architectures {"ks", "e", "d"}      hwnas/space/arch.py, beside our own compact form
latency tables, note10/…_lookup_table.yaml lut/formats/names.py, for `lut` imports nothing of hwnas
"""
