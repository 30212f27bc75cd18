/* A model as one HDF5 file, built in memory (bytes: FORMAT.md) and read from memory (image.c).
 *
 * Layout: a user block of 512 bytes that holds the SHA-256 of everything behind it, then HDF5 with two groups,
 * `payload` (one plain dataset an array) and `provenance` (one dataset, `json`). HDF5 alone notices next to none of the
 * bits that flip, so what is read is compared with the payload's own digest, and where the provenance is wanted the
 * bytes before that with the user block's. The library writes files; it never sees one that it did not make.
 */
#include "model/model_priv.h"

#include <hdf5.h>
#include <stdio.h>
#include <string.h>

enum { BLOCK = MODEL_BLOCK };

/* ---- the user block ---- */

static void block_print(char block[BLOCK], const dp_digest *digest)
{
    char hex[DP_DIGEST_HEX];
    dp_digest_print(hex, digest);
    memset(block, 0, BLOCK);
    snprintf(block, BLOCK,
             "Dipper model, format %d\nsha256 of the bytes from 512 to the end:\n%s\n"
             "An HDF5 file begins at byte 512; open it with any HDF5 tool. See src/model/FORMAT.md.\n",
             MODEL_FORMAT, hex);
}

dp_status model_file_seal(char *image, size_t size)
{
    dp_digest digest;
    DP_TRY(dp_digest_of(&digest, image + BLOCK, size - BLOCK));
    block_print(image, &digest);
    return DP_OK;
}

static dp_status head_check(const char *image, size_t size, const char *name)
{
    int format = 0;
    if (size < BLOCK || sscanf(image, "Dipper model, format %d\n", &format) != 1 || format < 1)
        return dp_fail(DP_ERR_DATA, "model-01", "%s is not a model file of Dipper (it has %zu bytes)", name, size);
    if (format > MODEL_FORMAT)
        return dp_fail(DP_ERR_DATA, "model-01", "%s has format %d; this Dipper reads up to %d: use a newer one", name,
                       format, (int)MODEL_FORMAT);
    return DP_OK;
}

dp_status model_file_check(const void *image, size_t size, const char *name)
{
    char expected[BLOCK];
    dp_digest digest;
    DP_TRY(head_check(image, size, name));
    DP_TRY(dp_digest_of(&digest, (const char *)image + BLOCK, size - BLOCK));
    block_print(expected, &digest);
    if (memcmp(expected, image, BLOCK) != 0)
        return dp_fail(DP_ERR_DATA, "model-02",
                       "%s does not hold the bytes that were written: its SHA-256 differs from the one it names; take "
                       "another copy of the file",
                       name);
    return DP_OK;
}

/* ---- writing ---- */

static dp_status h5_failed(const char *what)
{
    return dp_fail(DP_ERR_INTERNAL, "model-08", "HDF5 could not %s in memory", what);
}

static hid_t file_type(TensorType type)
{
    switch (type) {
    case TENSOR_U8:
        return H5T_STD_U8LE;
    case TENSOR_I32:
        return H5T_STD_I32LE;
    case TENSOR_I64:
        return H5T_STD_I64LE;
    case TENSOR_F32:
        return H5T_IEEE_F32LE;
    case TENSOR_F64:
        return H5T_IEEE_F64LE;
    }
    return H5I_INVALID_HID;
}

static dp_status write_array(hid_t group, hid_t how, const char *name, Tensor tensor)
{
    hsize_t dims = (hsize_t)tensor.shape[0];
    dp_status st = DP_OK;
    hid_t space = H5Screate_simple(1, &dims, NULL), type = file_type(tensor.type);
    hid_t set = H5Dcreate2(group, name, type, space, H5P_DEFAULT, how, H5P_DEFAULT);
    if (set < 0 || (dims > 0 && H5Dwrite(set, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, tensor.data) < 0))
        st = h5_failed("write an array");
    if (set >= 0 && H5Dclose(set) < 0)
        st = h5_failed("close an array");
    if (space >= 0)
        H5Sclose(space);
    return st;
}

static dp_status write_text(hid_t group, const char *name, const char *text)
{
    dp_status st = DP_OK;
    hid_t space = H5Screate(H5S_SCALAR), type = H5Tcopy(H5T_C_S1);
    hid_t attribute = H5I_INVALID_HID;
    if (type < 0 || H5Tset_size(type, strlen(text) + 1) < 0 ||
        (attribute = H5Acreate2(group, name, type, space, H5P_DEFAULT, H5P_DEFAULT)) < 0 ||
        H5Awrite(attribute, type, text) < 0)
        st = h5_failed("write an attribute");
    if (attribute >= 0 && H5Aclose(attribute) < 0)
        st = h5_failed("close an attribute");
    if (type >= 0)
        H5Tclose(type);
    if (space >= 0)
        H5Sclose(space);
    return st;
}

static dp_status write_groups(hid_t file, hid_t how, hid_t group_how, const char *family, const ModelArrays *arrays,
                              const dp_digest *payload, const char *provenance)
{
    dp_status st = DP_OK;
    char hex[DP_DIGEST_HEX];
    Tensor json = tensor_vector(TENSOR_U8, provenance, (int64_t)strlen(provenance));
    hid_t group = H5Gcreate2(file, "payload", H5P_DEFAULT, group_how, H5P_DEFAULT);
    hid_t beside = H5Gcreate2(file, "provenance", H5P_DEFAULT, group_how, H5P_DEFAULT);
    dp_digest_print(hex, payload);
    DP_GO(group < 0 || beside < 0 ? h5_failed("make a group") : DP_OK);
    DP_GO(write_text(group, "family", family));
    DP_GO(write_text(group, "sha256", hex));
    for (int i = 0; i < arrays->n; i++)
        DP_GO(write_array(group, how, arrays->array[i].name, arrays->array[i].tensor));
    DP_GO(write_array(beside, how, "json", json));
done:
    if (group >= 0 && H5Gclose(group) < 0 && st == DP_OK)
        st = h5_failed("close a group");
    if (beside >= 0 && H5Gclose(beside) < 0 && st == DP_OK)
        st = h5_failed("close a group");
    return st;
}

static dp_status take_image(hid_t file, dp_buf *image)
{
    char block[BLOCK] = {0};
    size_t begin = image->size;
    ssize_t size;
    if (H5Fflush(file, H5F_SCOPE_GLOBAL) < 0 || (size = H5Fget_file_image(file, NULL, 0)) <= 0)
        return h5_failed("finish the file");
    DP_TRY(dp_buf_add(image, block, BLOCK));
    DP_TRY(dp_buf_reserve(image, (size_t)size));
    if (H5Fget_file_image(file, image->data + image->size, (size_t)size) != size)
        return h5_failed("give the file's bytes");
    image->size += (size_t)size;
    return model_file_seal(image->data + begin, image->size - begin);
}

static dp_status write_file(dp_buf *image, const char *family, const ModelArrays *arrays, const dp_digest *payload,
                            const char *provenance)
{
    dp_status st = DP_OK;
    hid_t access = H5Pcreate(H5P_FILE_ACCESS), how = H5Pcreate(H5P_DATASET_CREATE);
    hid_t group_how = H5Pcreate(H5P_GROUP_CREATE), file = H5I_INVALID_HID;
    /* The oldest superblock: every reader then finds its way behind a user block that was put before it later. */
    if (access < 0 || how < 0 || group_how < 0 || H5Pset_fapl_core(access, 1 << 16, 0) < 0 ||
        H5Pset_libver_bounds(access, H5F_LIBVER_EARLIEST, H5F_LIBVER_V18) < 0 || H5Pset_obj_track_times(how, 0) < 0 ||
        H5Pset_layout(how, H5D_CONTIGUOUS) < 0 || H5Pset_fill_time(how, H5D_FILL_TIME_NEVER) < 0 ||
        H5Pset_obj_track_times(group_how, 0) < 0 || (file = H5Fcreate("model", H5F_ACC_TRUNC, H5P_DEFAULT, access)) < 0)
        st = h5_failed("begin a file");
    else
        st = write_groups(file, how, group_how, family, arrays, payload, provenance);
    if (st == DP_OK)
        st = take_image(file, image);
    if (file >= 0 && H5Fclose(file) < 0 && st == DP_OK)
        st = h5_failed("close the file");
    H5Pclose(access);
    H5Pclose(how);
    H5Pclose(group_how);
    return st;
}

/* HDF5 prints its error stack by itself unless told not to; what failed is said in our words. */
typedef struct Quiet {
    H5E_auto2_t print;
    void *data;
} Quiet;

static Quiet quiet_begin(void)
{
    Quiet quiet = {0};
    H5Eget_auto2(H5E_DEFAULT, &quiet.print, &quiet.data);
    H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
    return quiet;
}

static void quiet_end(Quiet quiet)
{
    H5Eset_auto2(H5E_DEFAULT, quiet.print, quiet.data);
}

dp_status model_file_write(dp_buf *image, const char *family, const ModelArrays *arrays, const dp_digest *payload,
                           const char *provenance)
{
    Quiet quiet = quiet_begin();
    dp_status st = write_file(image, family, arrays, payload, provenance);
    quiet_end(quiet);
    return st;
}

/* ---- reading ---- */

dp_status model_file_read(ModelArrays *arrays, char family[32], dp_digest *payload, char **provenance,
                          const void *image, size_t size, const char *name)
{
    ModelImage out = {.arrays = arrays, .payload = payload, .provenance = provenance};
    arrays->n = 0;
    DP_TRY(provenance ? model_file_check(image, size, name) : head_check(image, size, name));
    dp_status st = model_image_read(&out, (const char *)image + BLOCK, size - BLOCK, name);
    memcpy(family, out.family, sizeof out.family);
    if (st != DP_OK) {
        model_arrays_free(arrays);
        if (provenance)
            dp_free(provenance);
    }
    return st;
}
