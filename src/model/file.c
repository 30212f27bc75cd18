/* A model as one HDF5 file, built and read in memory (bytes: FORMAT.md).
 *
 * Layout: a user block of 512 bytes that holds the SHA-256 of everything behind it, then HDF5 with two groups,
 * `payload` (one plain dataset an array) and `provenance` (one dataset, `json`). HDF5 alone notices next to none of the
 * bits that flip, so the bytes are compared with that digest before the library sees them; then a child process reads
 * all of it once (lake/guard.h), and only then this one does; what it gives is compared with the payload's own digest.
 */
#include "model/model_priv.h"

#include <hdf5.h>
#include <stdio.h>
#include <string.h>

#include "lake/guard.h"

enum { BLOCK = MODEL_BLOCK, ATTRIBUTE = 96, PROVENANCE_MAX = 16 << 20, GUARD_SECONDS = 20 };

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

static dp_status block_check(const char *image, size_t size, const char *name)
{
    char expected[BLOCK];
    int format = 0;
    dp_digest digest;
    if (size < BLOCK || sscanf(image, "Dipper model, format %d\n", &format) != 1 || format < 1)
        return dp_fail(DP_ERR_DATA, "model-01", "%s is not a model file of Dipper (it has %zu bytes)", name, size);
    if (format > MODEL_FORMAT)
        return dp_fail(DP_ERR_DATA, "model-01", "%s has format %d; this Dipper reads up to %d: use a newer one", name,
                       format, (int)MODEL_FORMAT);
    DP_TRY(dp_digest_of(&digest, image + BLOCK, size - BLOCK));
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

static hid_t file_type(ModelType type)
{
    switch (type) {
    case MODEL_U8:
        return H5T_STD_U8LE;
    case MODEL_I32:
        return H5T_STD_I32LE;
    case MODEL_I64:
        return H5T_STD_I64LE;
    case MODEL_F32:
        return H5T_IEEE_F32LE;
    case MODEL_F64:
        return H5T_IEEE_F64LE;
    }
    return H5I_INVALID_HID;
}

static dp_status write_array(hid_t group, hid_t how, const char *name, ModelType type, const void *data, int64_t n)
{
    hsize_t dims = (hsize_t)n;
    dp_status st = DP_OK;
    hid_t space = H5Screate_simple(1, &dims, NULL);
    hid_t set = H5Dcreate2(group, name, file_type(type), space, H5P_DEFAULT, how, H5P_DEFAULT);
    if (set < 0 || (n > 0 && H5Dwrite(set, file_type(type), H5S_ALL, H5S_ALL, H5P_DEFAULT, data) < 0))
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
    hid_t group = H5Gcreate2(file, "payload", H5P_DEFAULT, group_how, H5P_DEFAULT);
    hid_t beside = H5Gcreate2(file, "provenance", H5P_DEFAULT, group_how, H5P_DEFAULT);
    dp_digest_print(hex, payload);
    DP_GO(group < 0 || beside < 0 ? h5_failed("make a group") : DP_OK);
    DP_GO(write_text(group, "family", family));
    DP_GO(write_text(group, "sha256", hex));
    for (int i = 0; i < arrays->n; i++)
        DP_GO(write_array(group, how, arrays->array[i].name, arrays->array[i].type, arrays->array[i].data,
                          arrays->array[i].n));
    DP_GO(write_array(beside, how, "json", MODEL_U8, provenance, (int64_t)strlen(provenance)));
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

static dp_status broken(const char *name, const char *what)
{
    return dp_fail(DP_ERR_DATA, "model-03", "%s: %s; this is not how Dipper writes models, do not use the file", name,
                   what);
}

/* A plain dataset: one dimension, one of our types, its bytes in this file, nothing in between. */
static dp_status look_at_set(hid_t set, size_t file_size, ModelType *type, int64_t *n, const char *name)
{
    dp_status st = DP_OK;
    hsize_t dims = 0;
    hid_t space = H5Dget_space(set), stored = H5Dget_type(set), how = H5Dget_create_plist(set);
    *type = 0;
    for (int t = MODEL_U8; t <= MODEL_F64; t++)
        if (stored >= 0 && H5Tequal(stored, file_type((ModelType)t)) > 0)
            *type = (ModelType)t;
    size_t size = model_type_size(*type), bytes = 0;
    if (space < 0 || H5Sget_simple_extent_ndims(space) != 1 || H5Sget_simple_extent_dims(space, &dims, NULL) != 1 ||
        size == 0 || dims > file_size || __builtin_mul_overflow((size_t)dims, size, &bytes) || bytes > file_size)
        st = broken(name, "an array has another type or more elements than there are bytes");
    else if (how < 0 || H5Pget_layout(how) != H5D_CONTIGUOUS || H5Pget_external_count(how) != 0 ||
             H5Pget_nfilters(how) != 0)
        st = broken(name, "an array is chunked, filtered, virtual or lies in another file");
    else if (bytes > 0 && (H5Dget_storage_size(set) != bytes || H5Dget_offset(set) == HADDR_UNDEF ||
                           H5Dget_offset(set) > file_size - bytes))
        st = broken(name, "an array's bytes are not in the file");
    *n = (int64_t)dims;
    if (space >= 0)
        H5Sclose(space);
    if (stored >= 0)
        H5Tclose(stored);
    if (how >= 0)
        H5Pclose(how);
    return st;
}

static dp_status read_array(hid_t group, const char *array, size_t file_size, ModelType *type, void *data, int64_t *n,
                            const char *name)
{
    dp_status st = DP_OK;
    void *held = NULL;
    hid_t set = H5Dopen2(group, array, H5P_DEFAULT);
    DP_GO(set < 0 ? broken(name, "a link does not lead to an array") : DP_OK);
    DP_GO(look_at_set(set, file_size, type, n, name));
    DP_GO(dp_new_bytes(&held, (size_t)*n, model_type_size(*type)));
    if (*n > 0 && H5Dread(set, file_type(*type), H5S_ALL, H5S_ALL, H5P_DEFAULT, held) < 0) {
        st = broken(name, "an array cannot be read");
        goto done;
    }
    memcpy(data, &held, sizeof held);
    held = NULL;
done:
    dp_free(&held);
    if (set >= 0)
        H5Dclose(set);
    return st;
}

/* The name of link i of a group, which must be a plain (hard) one. */
static dp_status link_name(hid_t group, hsize_t i, char link[MODEL_ARRAY_NAME], const char *name)
{
    H5L_info_t info;
    ssize_t size = H5Lget_name_by_idx(group, ".", H5_INDEX_NAME, H5_ITER_INC, i, link, MODEL_ARRAY_NAME, H5P_DEFAULT);
    if (size <= 0 || size >= MODEL_ARRAY_NAME ||
        H5Lget_info_by_idx(group, ".", H5_INDEX_NAME, H5_ITER_INC, i, &info, H5P_DEFAULT) < 0 ||
        info.type != H5L_TYPE_HARD)
        return broken(name, "a link is soft, external or has an absurd name");
    return DP_OK;
}

/* Exactly these links, in the order of names. */
static dp_status check_links(hid_t group, const char *const *expected, hsize_t n, const char *name)
{
    char link[MODEL_ARRAY_NAME];
    H5G_info_t info;
    if (H5Gget_info(group, &info) < 0 || info.nlinks != n)
        return broken(name, "a group holds more or less than it should");
    for (hsize_t i = 0; i < n; i++) {
        DP_TRY(link_name(group, i, link, name));
        if (strcmp(link, expected[i]) != 0)
            return broken(name, "a group holds something else than it should");
    }
    return DP_OK;
}

static dp_status read_text(hid_t group, const char *attribute, char *text, size_t room, const char *name)
{
    dp_status st = DP_OK;
    hid_t held = H5Aopen(group, attribute, H5P_DEFAULT);
    hid_t type = held < 0 ? H5I_INVALID_HID : H5Aget_type(held);
    hid_t space = held < 0 ? H5I_INVALID_HID : H5Aget_space(held);
    size_t size = type < 0 ? 0 : H5Tget_size(type);
    memset(text, 0, room);
    if (space < 0 || H5Tget_class(type) != H5T_STRING || H5Tis_variable_str(type) != 0 || size == 0 || size >= room ||
        H5Sget_simple_extent_npoints(space) != 1 || H5Aread(held, type, text) < 0)
        st = broken(name, "an attribute is missing or absurd");
    if (space >= 0)
        H5Sclose(space);
    if (type >= 0)
        H5Tclose(type);
    if (held >= 0)
        H5Aclose(held);
    return st;
}

static dp_status read_payload(hid_t file, size_t size, ModelArrays *arrays, char family[32], dp_digest *payload,
                              const char *name)
{
    dp_status st = DP_OK;
    char hex[ATTRIBUTE], link[MODEL_ARRAY_NAME];
    dp_digest found;
    H5G_info_t info = {0};
    hid_t group = H5Gopen2(file, "payload", H5P_DEFAULT);
    DP_GO(group < 0 ? broken(name, "it has no payload") : DP_OK);
    DP_GO(read_text(group, "family", family, 32, name));
    DP_GO(read_text(group, "sha256", hex, sizeof hex, name));
    DP_GO(H5Gget_info(group, &info) < 0 || info.nlinks > MODEL_ARRAYS_MAX ? broken(name, "it has too many arrays")
                                                                          : DP_OK);
    for (hsize_t i = 0; i < info.nlinks; i++) {
        ModelType type;
        void *data = NULL;
        int64_t n = 0;
        DP_GO(link_name(group, i, link, name));
        DP_GO(read_array(group, link, size, &type, &data, &n, name));
        DP_GO(model_arrays_give(arrays, link, type, data, n));
    }
    DP_GO(model_arrays_digest(arrays, &found));
    if (!dp_digest_read(payload, hex) || !dp_digest_same(payload, &found))
        st = dp_fail(DP_ERR_DATA, "model-02",
                     "%s: the learned arrays do not fit their own SHA-256; do not use the file", name);
done:
    if (group >= 0)
        H5Gclose(group);
    return st;
}

static dp_status read_provenance(hid_t file, size_t size, char **provenance, const char *name)
{
    static const char *const only[] = {"json"};
    dp_status st = DP_OK;
    ModelType type;
    int64_t n = 0;
    char *text = NULL;
    hid_t group = H5Gopen2(file, "provenance", H5P_DEFAULT);
    DP_GO(group < 0 ? broken(name, "it has no provenance") : DP_OK);
    DP_GO(check_links(group, only, 1, name));
    DP_GO(read_array(group, "json", size, &type, &text, &n, name));
    DP_GO(type != MODEL_U8 || n > PROVENANCE_MAX || (n > 0 && memchr(text, '\0', (size_t)n))
              ? broken(name, "its provenance is not text")
              : DP_OK);
    DP_GO(dp_resize(&text, (size_t)n, (size_t)n + 1));
    *provenance = text;
    text = NULL;
done:
    dp_free(&text);
    if (group >= 0)
        H5Gclose(group);
    return st;
}

/* What a file gives; the arrays and the text are the caller's. */
typedef struct Content {
    ModelArrays *arrays;
    char *family;
    dp_digest *payload;
    char **provenance;
    size_t size;
} Content;

static dp_status read_content(int64_t file, const char *name, void *self)
{
    static const char *const both[] = {"payload", "provenance"};
    Content *content = self;
    DP_TRY(check_links(file, both, 2, name));
    DP_TRY(read_payload(file, content->size, content->arrays, content->family, content->payload, name));
    if (content->provenance)
        DP_TRY(read_provenance(file, content->size, content->provenance, name));
    return DP_OK;
}

/* HDF5 finds its signature at byte 512; its own addresses begin there. */
static dp_status read_guarded(Content *content, const char *image, const char *name)
{
    int64_t file;
    DP_TRY(lake_guard_image(name, image + BLOCK, content->size, GUARD_SECONDS, read_content, content));
    DP_TRY(lake_image_open(&file, name, image + BLOCK, content->size));
    dp_status st = read_content(file, name, content);
    H5Fclose(file);
    return st;
}

dp_status model_file_read(ModelArrays *arrays, char family[32], dp_digest *payload, char **provenance,
                          const void *image, size_t size, const char *name)
{
    Content content = {.arrays = arrays, .family = family, .payload = payload, .provenance = provenance};
    arrays->n = 0;
    DP_TRY(block_check(image, size, name));
    content.size = size - BLOCK;
    Quiet quiet = quiet_begin();
    dp_status st = read_guarded(&content, image, name);
    quiet_end(quiet);
    if (st != DP_OK) {
        model_arrays_free(arrays);
        if (provenance)
            dp_free(provenance);
    }
    return st;
}
