/* What HDF5 writes of a partition: everything but its chunks and its index, made in memory (core driver). A chunk that
 * is filtered is stood for by one byte; where the tree of chunks says its size and address is noted, so that image.c
 * can put them there. One that is not filtered has its place. */
#include "lake/lake_priv.h"

#include <hdf5.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ZSTD_FILTER = 32015, SLACK = 64 << 10 };

/* An entry of a tree of chunks: bytes (u32), filters left out (u32), where the chunk begins (u64, and 0 behind it for
 * the bytes of an element), its address (u64). Source: HDF5 File Format Specification 3.0, III.A.1, node type 1. */
enum { ENTRY = 32 };

/* Ids that are the same for all datasets of a file. */
typedef struct H5 {
    hid_t file, text, scalar;
} H5;

static dp_status h5_failed(const char *what, const char *name)
{
    return dp_fail(DP_ERR_INTERNAL, "lake-11", "HDF5 failed to %s%s%s", what, *name ? " of " : "", name);
}

static hid_t type_of(const Stream *s)
{
    switch ((StreamKind)s->kind) {
    case STREAM_NUMBER:
        return H5T_IEEE_F64LE;
    case STREAM_NUMBER32:
        return H5T_IEEE_F32LE;
    case STREAM_TIME:
    case STREAM_INTEGER:
        return H5T_STD_I64LE;
    case STREAM_CODE:
        return s->width == 1 ? H5T_STD_U8LE : s->width == 2 ? H5T_STD_U16LE : H5T_STD_U32LE;
    case STREAM_LABEL:
        return H5T_STD_I8LE;
    case STREAM_LENGTH:
        return H5T_STD_U32LE;
    case STREAM_BYTES:
    case STREAM_FLAG:
    case STREAM_BIN:
        return H5T_STD_U8LE;
    case STREAM_DICTIONARY:
        break;
    }
    return H5I_INVALID_HID;
}

static dp_status put_text(const H5 *h5, hid_t object, const char *name, const char *text)
{
    hid_t type = H5I_INVALID_HID, attribute = H5I_INVALID_HID;
    dp_status st = DP_OK;
    if (!text || !*text)
        return DP_OK;
    type = H5Tcopy(h5->text);
    if (type < 0 || H5Tset_size(type, strlen(text)) < 0 ||
        (attribute = H5Acreate2(object, name, type, h5->scalar, H5P_DEFAULT, H5P_DEFAULT)) < 0 ||
        H5Awrite(attribute, type, text) < 0)
        st = h5_failed("write the attribute", name);
    if (attribute >= 0 && H5Aclose(attribute) < 0 && st == DP_OK)
        st = h5_failed("close the attribute", name);
    if (type >= 0)
        H5Tclose(type);
    return st;
}

static dp_status put_value(const H5 *h5, hid_t object, const char *name, hid_t type, const void *value)
{
    dp_status st = DP_OK;
    hid_t attribute = H5Acreate2(object, name, type, h5->scalar, H5P_DEFAULT, H5P_DEFAULT);
    if (attribute < 0 || H5Awrite(attribute, type, value) < 0)
        st = h5_failed("write the attribute", name);
    if (attribute >= 0 && H5Aclose(attribute) < 0 && st == DP_OK)
        st = h5_failed("close the attribute", name);
    return st;
}

/* What stands for a missing value, in the stream's own type. */
static dp_status put_fill(const H5 *h5, hid_t object, const Stream *s)
{
    const double number = NAN;
    const float number32 = NAN;
    const int64_t time = DP_TIME_MISSING;
    const uint32_t code = 0;
    const int8_t label = -1;
    switch ((StreamKind)s->kind) {
    case STREAM_NUMBER:
        return put_value(h5, object, "_FillValue", H5T_IEEE_F64LE, &number);
    case STREAM_NUMBER32:
        return put_value(h5, object, "_FillValue", H5T_IEEE_F32LE, &number32);
    case STREAM_TIME:
        return put_value(h5, object, "_FillValue", H5T_STD_I64LE, &time);
    case STREAM_CODE:
        return put_value(h5, object, "_FillValue", type_of(s), &code);
    case STREAM_LABEL:
        return put_value(h5, object, "_FillValue", H5T_STD_I8LE, &label);
    default:
        return DP_OK;
    }
}

static dp_status put_attributes(const H5 *h5, hid_t object, const ImageStream *is)
{
    const LakeColumn *column = is->column;
    char path[STREAM_NAME_MAX + 16];
    if (!column || is->stream.kind == STREAM_DICTIONARY || is->stream.kind == STREAM_BYTES)
        return DP_OK;
    DP_TRY(put_text(h5, object, "type", lake_type_name(column->type)));
    DP_TRY(put_text(h5, object, "units",
                    column->type == LAKE_TIME ? "microseconds since 1970-01-01 00:00:00 UTC" : column->unit));
    DP_TRY(put_text(h5, object, "description", column->about));
    if (is->stream.kind == STREAM_CODE) {
        snprintf(path, sizeof path, "/_dictionary/%s", is->name);
        DP_TRY(put_text(h5, object, "dictionary", path));
    }
    return put_fill(h5, object, &is->stream);
}

/* Without a fill value the filter has none to keep apart from the others. */
static herr_t set_bits(hid_t dcpl, const Stream *s)
{
    return H5Pset_fill_value(dcpl, type_of(s), NULL) < 0
               ? -1
               : H5Pset_scaleoffset(dcpl, H5Z_SO_INT, H5Z_SO_INT_MINBITS_DEFAULT);
}

/* Chunked with our filters; a stream without elements has no chunks. */
static dp_status layout_of(hid_t dcpl, const Stream *s, const char *name)
{
    hsize_t chunk = s->chunk;
    if (H5Pset_obj_track_times(dcpl, false) < 0 || H5Pset_fill_time(dcpl, H5D_FILL_TIME_NEVER) < 0)
        return h5_failed("set the layout", name);
    if (s->elements == 0)
        return DP_OK;
    if (H5Pset_chunk(dcpl, 1, &chunk) < 0 || (stream_shuffled(s) && H5Pset_shuffle(dcpl) < 0))
        return h5_failed("set the chunks", name);
    const unsigned level = 1;
    herr_t err = s->filter == FILTER_ZSTD      ? H5Pset_filter(dcpl, ZSTD_FILTER, H5Z_FLAG_MANDATORY, 1, &level)
                 : s->filter == FILTER_DEFLATE ? H5Pset_deflate(dcpl, level)
                 : s->filter == FILTER_BITS    ? set_bits(dcpl, s)
                                               : 0;
    return err < 0 ? h5_failed("set the filters", name) : DP_OK;
}

/* Zeros where the chunks will be. */
static dp_status place_chunks(hid_t dataset, const ImageStream *is, ChunkPlace *place)
{
    const Stream *s = &is->stream;
    size_t bytes = s->filter == FILTER_NONE ? (size_t)s->chunk * s->width : 1;
    char *zeros = NULL;
    dp_status st = DP_OK;
    DP_TRY(dp_new(&zeros, bytes));
    for (uint32_t c = 0; c < s->chunks && st == DP_OK; c++) {
        hsize_t at = (hsize_t)c * s->chunk, size;
        haddr_t address = HADDR_UNDEF;
        unsigned mask;
        if (H5Dwrite_chunk(dataset, H5P_DEFAULT, 0, &at, bytes, zeros) < 0 ||
            H5Dget_chunk_info_by_coord(dataset, &at, &mask, &address, &size) < 0 || address == HADDR_UNDEF ||
            size != bytes)
            st = h5_failed("write a chunk", is->name);
        place[c] = (ChunkPlace){.at = address, .filtered = s->filter != FILTER_NONE};
    }
    dp_free(&zeros);
    return st;
}

static dp_status make_group(const H5 *h5, const char *path, const LakeColumn *column)
{
    dp_status st = DP_OK;
    hid_t gcpl = H5Pcreate(H5P_GROUP_CREATE), group = H5I_INVALID_HID;
    if (gcpl < 0 || H5Pset_obj_track_times(gcpl, false) < 0 ||
        (group = H5Gcreate2(h5->file, path, H5P_DEFAULT, gcpl, H5P_DEFAULT)) < 0)
        st = h5_failed("make the group", path);
    if (st == DP_OK && column) {
        st = put_text(h5, group, "type", lake_type_name(column->type));
        st = st == DP_OK ? put_text(h5, group, "units", column->unit) : st;
        st = st == DP_OK ? put_text(h5, group, "description", column->about) : st;
    }
    if (group >= 0 && H5Gclose(group) < 0 && st == DP_OK)
        st = h5_failed("close the group", path);
    if (gcpl >= 0)
        H5Pclose(gcpl);
    return st;
}

/* The groups above a stream. That of a text column carries its attributes. */
static dp_status make_parents(const H5 *h5, const ImageStream *is)
{
    char path[STREAM_NAME_MAX];
    snprintf(path, sizeof path, "%s", is->name);
    for (char *slash = strchr(path, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        bool last = !strchr(slash + 1, '/');
        htri_t there = H5Lexists(h5->file, path, H5P_DEFAULT);
        if (there < 0)
            return h5_failed("look for the group", path);
        if (there == 0)
            DP_TRY(make_group(h5, path, last && is->stream.kind == STREAM_LENGTH ? is->column : NULL));
        *slash = '/';
    }
    return DP_OK;
}

static dp_status write_stream(const H5 *h5, const ImageStream *is, ChunkPlace *place)
{
    dp_status st = DP_OK;
    hsize_t dims = is->stream.elements;
    hid_t type = H5I_INVALID_HID, space = H5I_INVALID_HID, dcpl = H5I_INVALID_HID, dataset = H5I_INVALID_HID;
    bool text = is->stream.kind == STREAM_DICTIONARY;
    type = text ? H5Tcopy(h5->text) : type_of(&is->stream);
    space = H5Screate_simple(1, &dims, NULL);
    dcpl = H5Pcreate(H5P_DATASET_CREATE);
    if (type < 0 || space < 0 || dcpl < 0 || (text && H5Tset_size(type, is->stream.width) < 0))
        DP_GO(h5_failed("describe the dataset", is->name));
    DP_GO(make_parents(h5, is));
    DP_GO(layout_of(dcpl, &is->stream, is->name));
    dataset = H5Dcreate2(h5->file, is->name, type, space, H5P_DEFAULT, dcpl, H5P_DEFAULT);
    if (dataset < 0)
        DP_GO(h5_failed("make the dataset", is->name));
    DP_GO(put_attributes(h5, dataset, is));
    DP_GO(place_chunks(dataset, is, place));
done:
    if (dataset >= 0 && H5Dclose(dataset) < 0 && st == DP_OK)
        st = h5_failed("close the dataset", is->name);
    if (dcpl >= 0)
        H5Pclose(dcpl);
    if (space >= 0)
        H5Sclose(space);
    if (text && type >= 0)
        H5Tclose(type);
    return st;
}

/* Room for the index. */
static dp_status place_index(const H5 *h5, size_t size, uint64_t *at)
{
    dp_status st = DP_OK;
    hsize_t dims = size;
    hid_t space = H5Screate_simple(1, &dims, NULL), dcpl = H5Pcreate(H5P_DATASET_CREATE), dataset = H5I_INVALID_HID;
    haddr_t address = HADDR_UNDEF;
    char *zeros = NULL;
    DP_GO(dp_new(&zeros, size));
    if (space < 0 || dcpl < 0 || H5Pset_obj_track_times(dcpl, false) < 0 ||
        H5Pset_alloc_time(dcpl, H5D_ALLOC_TIME_EARLY) < 0 ||
        (dataset = H5Dcreate2(h5->file, "_index", H5T_STD_U8LE, space, H5P_DEFAULT, dcpl, H5P_DEFAULT)) < 0 ||
        H5Dwrite(dataset, H5T_STD_U8LE, H5S_ALL, H5S_ALL, H5P_DEFAULT, zeros) < 0 ||
        (address = H5Dget_offset(dataset)) == HADDR_UNDEF)
        st = h5_failed("write the index", "");
    *at = address;
done:
    if (dataset >= 0 && H5Dclose(dataset) < 0 && st == DP_OK)
        st = h5_failed("close the index", "");
    if (dcpl >= 0)
        H5Pclose(dcpl);
    if (space >= 0)
        H5Sclose(space);
    dp_free(&zeros);
    return st;
}

static dp_status describe_file(const H5 *h5, int64_t rows)
{
    const int32_t version = FORMAT_VERSION;
    hid_t root = H5Gopen2(h5->file, "/", H5P_DEFAULT);
    dp_status st = root < 0 ? h5_failed("open the root", "") : DP_OK;
    if (st == DP_OK)
        st = put_text(h5, root, "format", "dipper-lake-partition");
    if (st == DP_OK)
        st = put_value(h5, root, "format_version", H5T_STD_I32LE, &version);
    if (st == DP_OK)
        st = put_value(h5, root, "rows", H5T_STD_I64LE, &rows);
    if (root >= 0 && H5Gclose(root) < 0 && st == DP_OK)
        st = h5_failed("close the root", "");
    return st;
}

/* An empty file in memory, which HDF5 1.8 and newer read. The B-tree of a dataset's chunks is one node. Not the 1.10
 * format: its superblock gets a wrong checksum from H5Fget_file_image; nor that of 1.8: it stores times. */
static dp_status make_file(H5 *h5, size_t room, uint32_t most_chunks)
{
    hid_t fapl = H5Pcreate(H5P_FILE_ACCESS), fcpl = H5Pcreate(H5P_FILE_CREATE);
    uint32_t half = most_chunks / 2 + 1;
    h5->file = H5I_INVALID_HID;
    h5->scalar = H5Screate(H5S_SCALAR);
    h5->text = H5Tcopy(H5T_C_S1);
    if (fapl >= 0 && fcpl >= 0 && H5Pset_fapl_core(fapl, room, false) >= 0 &&
        H5Pset_libver_bounds(fapl, H5F_LIBVER_EARLIEST, H5F_LIBVER_V18) >= 0 &&
        H5Pset_fclose_degree(fapl, H5F_CLOSE_SEMI) >= 0 && H5Pset_obj_track_times(fcpl, false) >= 0 &&
        H5Pset_istore_k(fcpl, half < 16000 ? half : 16000) >= 0 &&
        H5Pset_link_creation_order(fcpl, H5P_CRT_ORDER_TRACKED | H5P_CRT_ORDER_INDEXED) >= 0 &&
        H5Tset_strpad(h5->text, H5T_STR_NULLPAD) >= 0 && H5Tset_cset(h5->text, H5T_CSET_UTF8) >= 0)
        h5->file = H5Fcreate("partition.h5", H5F_ACC_TRUNC, fcpl, fapl);
    if (fapl >= 0)
        H5Pclose(fapl);
    if (fcpl >= 0)
        H5Pclose(fcpl);
    return h5->file < 0 ? h5_failed("make a file in memory", "") : DP_OK;
}

static dp_status take_image(const H5 *h5, dp_buf *image)
{
    ssize_t size;
    if (H5Fflush(h5->file, H5F_SCOPE_GLOBAL) < 0 || (size = H5Fget_file_image(h5->file, NULL, 0)) <= 0)
        return h5_failed("give the bytes", "");
    image->size = 0;
    DP_TRY(dp_buf_reserve(image, (size_t)size));
    if (H5Fget_file_image(h5->file, image->data, (size_t)size) != size)
        return h5_failed("give the bytes", "");
    image->size = (size_t)size;
    return DP_OK;
}

static int by_address(const void *a, const void *b)
{
    uint64_t x = (*(ChunkPlace *const *)a)->at, y = (*(ChunkPlace *const *)b)->at;
    return (x > y) - (x < y);
}

/* Looks for the entries of the filtered chunks; each is known by the address of the byte that stands for it. */
static dp_status find_entries(Skeleton *k)
{
    ChunkPlace **sorted = NULL;
    size_t n = 0, found = 0;
    DP_TRY(dp_new(&sorted, k->n_chunks));
    for (size_t c = 0; c < k->n_chunks; c++)
        if (k->chunk[c].filtered)
            sorted[n++] = &k->chunk[c];
    qsort(sorted, n, sizeof *sorted, by_address);
    for (size_t at = 0; n > 0 && at + ENTRY <= k->bytes.size; at++) {
        static const char head[8] = {1}; /* one byte, no filter left out */
        ChunkPlace wanted, *key = &wanted, **hit;
        if (memcmp(k->bytes.data + at, head, sizeof head) != 0)
            continue;
        memcpy(&wanted.at, k->bytes.data + at + ENTRY_ADDRESS, sizeof wanted.at);
        if (!(hit = bsearch(&key, sorted, n, sizeof *sorted, by_address)))
            continue;
        found += (*hit)->entry == 0;
        (*hit)->entry = at;
    }
    dp_free(&sorted);
    return found == n ? DP_OK : h5_failed("keep its chunks in a tree", "");
}

/* The superblock says how long the file is; version 1 is four bytes longer before that. */
static dp_status find_end(Skeleton *k)
{
    uint64_t end;
    k->end_at = k->bytes.data[8] == 0 ? 40 : 44;
    memcpy(&end, k->bytes.data + k->end_at, sizeof end);
    return (uint8_t)k->bytes.data[8] <= 1 && end == k->bytes.size ? DP_OK
                                                                  : h5_failed("write its oldest superblock", "");
}

void skeleton_free(Skeleton *k)
{
    dp_buf_free(&k->shape);
    dp_buf_free(&k->bytes);
    dp_buf_free(&k->rows_at);
    dp_free(&k->chunk);
    *k = (Skeleton){0};
}

dp_status skeleton_build(Skeleton *k, const ImageStream *streams, int n, int64_t rows, size_t index_size)
{
    dp_status st = DP_OK;
    H5 h5 = {H5I_INVALID_HID, H5I_INVALID_HID, H5I_INVALID_HID};
    size_t room = SLACK + (size_t)n * 1024 + index_size;
    uint32_t most = 1;
    k->n_chunks = k->rows_at.size = 0;
    for (int i = 0; i < n; i++) {
        const Stream *s = &streams[i].stream;
        room += s->chunks * (s->filter == FILTER_NONE ? (size_t)s->chunk * s->width : 1);
        k->n_chunks += s->chunks;
        most = s->chunks > most ? s->chunks : most;
    }
    dp_free(&k->chunk);
    DP_GO(dp_new(&k->chunk, k->n_chunks));
    DP_GO(h5_ready());
    DP_GO(make_file(&h5, room, most));
    DP_GO(describe_file(&h5, rows));
    for (int i = 0, c = 0; i < n; c += (int)streams[i++].stream.chunks)
        DP_GO(write_stream(&h5, &streams[i], k->chunk + c));
    DP_GO(place_index(&h5, index_size, &k->index_at));
    DP_GO(take_image(&h5, &k->bytes));
    DP_GO(find_entries(k));
    DP_GO(find_end(k));
done:
    if (h5.text >= 0)
        H5Tclose(h5.text);
    if (h5.scalar >= 0)
        H5Sclose(h5.scalar);
    if (h5.file >= 0 && H5Fclose(h5.file) < 0 && st == DP_OK)
        st = h5_failed("close the file", "");
    return st;
}
