"""Winnow's C ABI by ctypes, as far as stages.py needs it: devices, pipelines and plans on host memory.

The structs are those of plugin/include/winnow/winnow.h; check_header compiles a program against it and compares every
size and offset. Arrays are numpy's (bf16: uint16), C order.
"""
import ctypes as c
import os
import subprocess
import tempfile

import numpy as np

ABI = 1 << 16
ROLES = ("tokens", "sizes", "keys", "queries", "cls", "cls_attention", "text", "image_embeds", "llm_attention",
         "frame_embeds", "received_attention_shallow", "received_attention_deep", "cls_attention_shallow",
         "text_attention", "text_keys", "attention", "attention_to_text", "groups",
         "saliency")
ROLE_SLOTS = 32
OUT_TOKENS, OUT_INDICES, OUT_COUNT = 0, 1, 6
DTYPES = {"f32": 0, "f16": 1, "bf16": 2}
NUMPY = {"f32": np.float32, "f16": np.float16, "bf16": np.uint16}
BACKENDS = {"gpu": 1, "cpu": 2}
ORDER_RASTER, ORDER_METHOD = 0, 1
HOST_MEMORY, TIMING = 1, 2
SIZES = ("frames", "tokens", "dim", "grid_h", "grid_w", "key_dim", "heads", "llm_heads", "text_rows", "text_dim",
         "frame_dim", "image_dim")
LOG = c.CFUNCTYPE(None, c.c_void_p, c.c_int32, c.c_char_p)


class Error(Exception):
    pass


def struct(name, *fields):
    return type(name, (c.Structure,), {"_fields_": list(fields)})


def u32(*names):
    return [(name, c.c_uint32) for name in names]


Allocator = struct("winnow_allocator", ("allocate", c.c_void_p), ("release", c.c_void_p), ("user", c.c_void_p))
Host = struct("winnow_host", *u32("struct_size", "reserved"), ("allocator", Allocator), ("log", LOG),
              ("log_user", c.c_void_p))
DeviceDesc = struct("winnow_device_desc", ("struct_size", c.c_uint32), ("backend", c.c_int32),
                    ("host", c.POINTER(Host)), ("selector", c.c_char_p), ("disable", c.c_char_p),
                    ("loader_path", c.c_char_p), ("cache_path", c.c_char_p))
DeviceInfo = struct("winnow_device_info", ("struct_size", c.c_uint32), ("backend", c.c_int32), ("kind", c.c_int32),
                    ("api_version", c.c_uint32), ("name", c.c_char * 256), ("driver", c.c_char * 256),
                    ("features", c.c_char * 256), ("disabled", c.c_char * 256), *u32("subgroup_size", "max_workgroup"),
                    ("max_binding", c.c_uint64), ("memory", c.c_uint64), ("unusable", c.c_char * 256))
Shape = struct("winnow_shape", *u32(*SIZES), ("reserved", c.c_uint32 * 4))
PlanDesc = struct("winnow_plan_desc", *u32("struct_size", "flags"), ("max_shape", Shape), *u32("roles", "outputs"),
                  ("dtype", c.c_int32 * ROLE_SLOTS), ("out_dtype", c.c_int32), ("order", c.c_int32), *u32("reserved"))
PlanInfo = struct("winnow_plan_info", *u32("struct_size", "dim_out", "rows_max", "rows_exact"),
                  ("grid_out", c.c_uint32 * 3), *u32("dispatches", "barriers", "submissions"),
                  ("workspace_bytes", c.c_uint64), ("staging_bytes", c.c_uint64), ("floor_bytes", c.c_uint64))
Tensor = struct("winnow_tensor", ("data", c.c_void_p), ("row_stride", c.c_uint64), ("capacity", c.c_uint64))
Run = struct("winnow_run", *u32("struct_size", "reserved"), ("shape", Shape), ("in", Tensor * ROLE_SLOTS),
             ("out", Tensor * OUT_COUNT))
Result = struct("winnow_result", *u32("struct_size", "rows", "nan_scores", "dispatches", "submissions"),
                ("grid_out", c.c_uint32 * 3), ("gpu_ns", c.c_uint64), *u32("recorded", "reserved"))
HANDLE, HANDLE_OUT = c.c_void_p, c.POINTER(c.c_void_p)
FUNCTIONS = [  # of winnow_api, in its order; a name alone is not called here
    ("status_name", c.c_char_p, c.c_int32), ("get_extension", c.c_void_p, c.c_char_p), ("stage_count",),
    ("stage_info",), ("device_list",), ("device_create", c.c_int32, c.POINTER(DeviceDesc), HANDLE_OUT),
    ("device_destroy", None, HANDLE), ("device_info", c.c_int32, HANDLE, c.POINTER(DeviceInfo)),
    ("pipeline_create", c.c_int32, c.POINTER(Host), c.c_char_p, HANDLE_OUT), ("pipeline_destroy", None, HANDLE),
    ("pipeline_inputs", c.c_int32, HANDLE, c.POINTER(c.c_uint32), c.POINTER(c.c_uint32)),
    ("plan_create", c.c_int32, HANDLE, HANDLE, c.POINTER(PlanDesc), HANDLE_OUT), ("plan_destroy", None, HANDLE),
    ("plan_info", c.c_int32, HANDLE, c.POINTER(PlanInfo)),
    ("plan_run", c.c_int32, HANDLE, c.POINTER(Run), c.POINTER(Result))]
Api = struct("winnow_api", *u32("struct_size", "abi"), ("version", c.c_char_p),
             *[(name, c.CFUNCTYPE(*types) if types else c.c_void_p) for name, *types in FUNCTIONS])
Measure = struct("winnow_ext_measure", *u32("struct_size", "reserved"),
                 ("copy_bandwidth", c.CFUNCTYPE(c.c_int32, HANDLE, c.c_uint64, c.POINTER(c.c_double))))
STRUCTS = (Allocator, Host, DeviceDesc, DeviceInfo, Shape, PlanDesc, PlanInfo, Tensor, Run, Result, Api, Measure)
BEGINNINGS = (Api, Measure)  # only their first members are declared here


def check_header(include):
    """The differences between the structs here and those of winnow.h, as text; needs a C compiler."""
    lines = ["#include <stdio.h>", "#include <winnow/winnow.h>", "int main(void) {"]
    expected = []
    for s in STRUCTS:
        if s not in BEGINNINGS:
            lines.append('printf("%%zu\\n", sizeof(%s));' % s.__name__)
            expected.append((s.__name__, c.sizeof(s)))
        for name, _ in s._fields_:
            lines.append('printf("%%zu\\n", offsetof(%s, %s));' % (s.__name__, name))
            expected.append((s.__name__ + "." + name, getattr(s, name).offset))
    with tempfile.TemporaryDirectory() as room:
        source, exe = os.path.join(room, "sizes.c"), os.path.join(room, "sizes")
        with open(source, "w") as file:
            file.write("\n".join(lines + ["return 0; }", ""]))
        subprocess.run([os.environ.get("CC", "cc"), "-I", include, source, "-o", exe], check=True)
        found = subprocess.run([exe], stdout=subprocess.PIPE, text=True, check=True).stdout.split()
    return ["%s: %d here, %s in winnow.h" % (name, size, got)
            for (name, size), got in zip(expected, found, strict=True) if str(size) != got]


def sized(kind, **values):
    return kind(struct_size=c.sizeof(kind), **values)


class Library:
    """A libwinnow with one device."""

    def __init__(self, path, backend, disable="", selector=""):
        self.said = []
        self.log = LOG(lambda _, level, text: self.said.append(text.decode()))  # a refusal is the last line
        self.host = sized(Host, log=self.log)
        self.dll = c.CDLL(os.path.abspath(path))
        self.dll.winnow_get_api.restype = c.POINTER(Api)
        api = self.dll.winnow_get_api(c.c_uint32(ABI))
        if not api or api.contents.struct_size < c.sizeof(Api):
            raise Error("%s does not speak this ABI" % path)
        self.api = api.contents
        self.device, info = HANDLE(), sized(DeviceInfo)
        desc = sized(DeviceDesc, backend=BACKENDS[backend], host=c.pointer(self.host), selector=selector.encode(),
                     disable=disable.encode())
        self.must(self.api.device_create(c.byref(desc), c.byref(self.device)), "device_create")
        self.must(self.api.device_info(self.device, c.byref(info)), "device_info")
        self.about = {"version": self.api.version.decode(), "device": info.name.decode(),
                      "driver": info.driver.decode(), "features": info.features.decode()}

    def must(self, status, what):
        if status:
            why = self.said[-1] if self.said else self.api.status_name(status).decode()
            raise Error("%s: %s" % (what, why))

    def bandwidth(self, size=1 << 28):
        """Bytes a second of a copy on the device, or 0."""
        table, rate = self.api.get_extension(b"winnow.measure/1"), c.c_double(0)
        if table:
            c.cast(table, c.POINTER(Measure)).contents.copy_bandwidth(self.device, size, c.byref(rate))
        return rate.value

    def close(self):
        self.api.device_destroy(self.device)


class Plan:
    """A pipeline for one shape. inputs: {role: array}, of which it takes (and keeps) what the pipeline
    needs, and keys where it can use them, as the authors do."""

    def __init__(self, library, spec, shape, inputs, dtype, order=ORDER_RASTER):
        self.library, self.api, self.handle = library, library.api, HANDLE()
        pipeline, needed, optional = HANDLE(), c.c_uint32(), c.c_uint32()
        library.must(self.api.pipeline_create(c.byref(library.host), spec.encode(), c.byref(pipeline)), spec)
        try:
            library.must(self.api.pipeline_inputs(pipeline, c.byref(needed), c.byref(optional)), spec)
            wanted = needed.value | 1 | optional.value & 1 << ROLES.index("keys")
            self.roles = [r for i, r in enumerate(ROLES) if wanted >> i & 1]
            bits = sum(1 << ROLES.index(r) for r in self.roles)
            number = DTYPES[dtype]
            desc = sized(PlanDesc, flags=HOST_MEMORY | TIMING, max_shape=shape, roles=bits, out_dtype=number,
                         order=order, dtype=(c.c_int32 * ROLE_SLOTS)(*[number] * len(ROLES)))
            library.must(self.api.plan_create(library.device, pipeline, c.byref(desc), c.byref(self.handle)), spec)
        finally:
            self.api.pipeline_destroy(pipeline)
        self.info = sized(PlanInfo)
        library.must(self.api.plan_info(self.handle, c.byref(self.info)), spec)
        self.kept = [inputs[r] for r in self.roles]
        self.tokens = np.zeros((self.info.rows_max, self.info.dim_out), NUMPY[dtype])
        self.indices = np.zeros(self.info.rows_max, np.int32)
        self.result, self.run_desc = sized(Result), sized(Run, shape=shape)
        for role, array in zip(self.roles, self.kept):
            if not array.flags.c_contiguous or array.dtype != NUMPY[dtype]:
                raise Error("%s: not a packed array of %s" % (role, dtype))
            getattr(self.run_desc, "in")[ROLES.index(role)].data = array.ctypes.data
        for place, array in ((OUT_TOKENS, self.tokens), (OUT_INDICES, self.indices)):
            self.run_desc.out[place] = Tensor(array.ctypes.data, 0, self.info.rows_max)

    def run(self):
        status = self.api.plan_run(self.handle, c.byref(self.run_desc), c.byref(self.result))
        if status:
            self.library.must(status, "plan_run")

    def rows(self):
        """Tokens and indices of the last run."""
        return self.tokens[:self.result.rows], self.indices[:self.result.rows]

    def close(self):
        self.api.plan_destroy(self.handle)
