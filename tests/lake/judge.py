# RUN np=1 quick -- h5py reads our partitions by column name, with units, and finds the values that were written.
import glob
import math
import os
import shutil
import struct
import subprocess
import sys
import tempfile

import h5py
import numpy as np

build = os.environ["DIPPER_BUILD"]
folder = tempfile.mkdtemp()
rows = 70000


def partition(table):
    (path,) = glob.glob(f"{folder}/{table}/*/part-*.h5")
    return path


def texts(group):
    ends = np.cumsum(group["length"][:], dtype=np.int64)
    data = group["bytes"][:].tobytes()
    return [data[e - n : e].decode() for e, n in zip(ends, group["length"][:])]


def check(table, plugin):
    with h5py.File(partition(table), "r") as f:
        assert f.attrs["format"] == b"dipper-lake-partition" and f.attrs["rows"] == rows, dict(f.attrs)
        for name in ("id", "at", "changed", "value", "mass", "office", "hs6", "goods", "fault"):
            assert f[name].attrs["type"], name
        assert f["mass"].attrs["units"] == b"kg" and f["mass"].attrs["description"] == b"net mass"
        assert f["at"].attrs["units"].startswith(b"microseconds since 1970-01-01")
        assert math.isnan(f["mass"].attrs["_FillValue"]) and f["fault"].attrs["_FillValue"] == -1
        for i in range(0, rows, 997):
            assert f["changed"][i] == i * 1000000
        at = f["at"][:]
        i = np.arange(rows)
        assert (at == np.where(i % 17 == 2, np.iinfo(np.int64).min, i * 1000003 - 500 * 86400 * 1000000)).all()
        value = f["value"][:]
        assert (np.isnan(value) == (i % 11 == 3)).all()
        assert struct.pack("<d", value[97]) == struct.pack("<d", -0.0) and value[98] == 5e-324
        hs6 = f[f["hs6"].attrs["dictionary"].decode()][:]
        assert hs6[0] == b"" and all(len(x) == 6 for x in hs6[1:]) and len(set(hs6)) == len(hs6)
        assert f["hs6"][:].min() == 1 and f["hs6"][:].max() == len(hs6) - 1
        office = f["_dictionary/office"][:]
        assert ((f["office"][:] == 0) == (i % 19 == 1)).all() and office[1].startswith(b"Zoll ")
        assert texts(f["id"]) == [f"D{n:09d}" for n in range(rows)]
        goods = texts(f["goods"])
        text = 'Kaffee, nicht ger\xf6stet \u8336 "a", b\nc'.encode()
        for n in range(rows):
            assert goods[n] == ("" if n % 7 == 0 else text[: 24 if n % 3 else 5].decode("utf-8", "ignore") + str(n)), n
        kinds = set()

        def filters(_, item):
            if isinstance(item, h5py.Dataset):
                plist = item.id.get_create_plist()
                kinds.update(plist.get_filter(k)[0] for k in range(plist.get_nfilters()))

        f.visititems(filters)
        assert kinds == plugin, kinds


try:
    subprocess.run([f"{build}/tests/test_lake_roundtrip", "write", folder, str(rows)], check=True)
    check("deflate", {1, 2})  # before hdf5plugin is loaded: nothing but HDF5 itself
    check("plain", set())
    try:
        h5py.File(partition("zstd"), "r")["at"][:]
        assert False, "zstd was read without its plug-in"
    except OSError:
        pass
    import hdf5plugin  # noqa: F401

    check("zstd", {2, 6, 32015})  # 6: of codes and labels
    if shutil.which("h5dump"):
        out = subprocess.run(["h5dump", "-H", "-A", partition("deflate")], capture_output=True, text=True, check=True)
        assert 'DATASET "hs6"' in out.stdout
finally:
    shutil.rmtree(folder)
sys.exit(0)
