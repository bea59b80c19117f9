"""TensorRT's part of an exported `run.py`: CUDA by PyCUDA where it is installed, else by torch."""

from __future__ import annotations

LOAD = """\
try:
    import pycuda.autoinit, pycuda.driver as cuda
    stream = cuda.Stream()
    handle, address = stream.handle, int
    def upload(values):
        buffer = cuda.mem_alloc(values.nbytes)
        cuda.memcpy_htod(buffer, values)
        return buffer
    def download(buffer, values):
        cuda.Context.synchronize()
        cuda.memcpy_dtoh(values, buffer)
        return values
except ImportError:
    import torch
    torch.cuda.init()
    stream = torch.cuda.Stream()
    handle, address = stream.cuda_stream, torch.Tensor.data_ptr
    def upload(values):
        return torch.from_numpy(values).cuda()
    def download(buffer, values):
        torch.cuda.synchronize()
        return buffer.cpu().numpy()
engine = trt.Runtime(trt.Logger()).deserialize_cuda_engine((here / "{file}").read_bytes())
context = engine.create_execution_context()
def run(feeds):
    arrays = {{name: np.ascontiguousarray(values) for name, values in feeds.items()}}
    for name in [engine.get_tensor_name(i) for i in range(engine.num_io_tensors)]:
        kind = trt.nptype(engine.get_tensor_dtype(name))
        arrays.setdefault(name, np.empty(tuple(engine.get_tensor_shape(name)), kind))
    buffers = {{name: upload(values) for name, values in arrays.items()}}
    for name, buffer in buffers.items():
        context.set_tensor_address(name, address(buffer))
    context.execute_async_v3(handle)
    return {{name: download(buffers[name], values) for name, values in arrays.items() if name not in feeds}}"""
