/* A partition as bytes: an HDF5 file made in memory (core driver), so that every byte is ours to check, followed by a
 * footer that HDF5 readers do not look at. Nothing in it depends on time, place or rank. */
#include "lake/lake_priv.h"

#include <hdf5.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

enum { ZSTD_FILTER = 32015, SLACK = 64 << 10 };

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

static dp_status write_chunks(hid_t dataset, ImageStream *is, Chunk *chunks)
{
    const Stream *s = &is->stream;
    for (uint32_t c = 0; c < s->chunks; c++) {
        hsize_t at = (hsize_t)c * s->chunk, size;
        const Packed *packed = &is->chunk[c];
        haddr_t address;
        unsigned mask;
        if (H5Dwrite_chunk(dataset, H5P_DEFAULT, 0, &at, packed->stored, packed->data) < 0 ||
            H5Dget_chunk_info_by_coord(dataset, &at, &mask, &address, &size) < 0 || address == HADDR_UNDEF ||
            size != packed->stored)
            return h5_failed("write a chunk", is->name);
        chunks[c] = (Chunk){.at = address,
                            .stored = packed->stored,
                            .check = check_bytes(packed->data, packed->stored),
                            .low = packed->low,
                            .high = packed->high,
                            .first = packed->first};
    }
    return DP_OK;
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

static dp_status write_stream(const H5 *h5, ImageStream *is, Chunk *chunks)
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
    DP_GO(write_chunks(dataset, is, chunks));
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

static dp_status index_bytes(dp_buf *out, ImageStream *streams, int n, const Chunk *chunks, uint32_t n_chunks,
                             ImageCounts counts)
{
    uint32_t block = block_rows_of(counts.rows), count = (uint32_t)n, names = 0, chunk = 0;
    for (int i = 0; i < n; i++) {
        Stream *s = &streams[i].stream;
        s->name_at = names;
        s->name_size = (uint32_t)strlen(streams[i].name);
        s->first_chunk = chunk;
        names += s->name_size;
        chunk += s->chunks;
    }
    DP_TRY(dp_buf_add(out, "DPLAKIX1", 8));
    DP_TRY(dp_buf_add(out, &counts.rows, 8));
    DP_TRY(dp_buf_add(out, &counts.bad, 8));
    DP_TRY(dp_buf_add(out, &counts.deleted, 8));
    DP_TRY(dp_buf_add(out, &block, 4));
    DP_TRY(dp_buf_add(out, &count, 4));
    DP_TRY(dp_buf_add(out, &n_chunks, 4));
    DP_TRY(dp_buf_add(out, &names, 4));
    for (int i = 0; i < n; i++)
        DP_TRY(dp_buf_add(out, &streams[i].stream, sizeof streams[i].stream));
    DP_TRY(dp_buf_add(out, chunks, n_chunks * sizeof *chunks));
    for (int i = 0; i < n; i++)
        DP_TRY(dp_buf_text(out, streams[i].name));
    return DP_OK;
}

static dp_status write_index(const H5 *h5, const dp_buf *bytes, ImageFacts *facts)
{
    dp_status st = DP_OK;
    hsize_t dims = bytes->size;
    hid_t space = H5Screate_simple(1, &dims, NULL), dcpl = H5Pcreate(H5P_DATASET_CREATE), dataset = H5I_INVALID_HID;
    haddr_t at = HADDR_UNDEF;
    if (space < 0 || dcpl < 0 || H5Pset_obj_track_times(dcpl, false) < 0 ||
        H5Pset_alloc_time(dcpl, H5D_ALLOC_TIME_EARLY) < 0 ||
        (dataset = H5Dcreate2(h5->file, "_index", H5T_STD_U8LE, space, H5P_DEFAULT, dcpl, H5P_DEFAULT)) < 0 ||
        H5Dwrite(dataset, H5T_STD_U8LE, H5S_ALL, H5S_ALL, H5P_DEFAULT, bytes->data) < 0 ||
        (at = H5Dget_offset(dataset)) == HADDR_UNDEF)
        st = h5_failed("write the index", "");
    facts->index_at = (int64_t)at;
    facts->index_bytes = (int64_t)bytes->size;
    if (dataset >= 0 && H5Dclose(dataset) < 0 && st == DP_OK)
        st = h5_failed("close the index", "");
    if (dcpl >= 0)
        H5Pclose(dcpl);
    if (space >= 0)
        H5Sclose(space);
    DP_TRY(st);
    return dp_digest_of(&facts->index_digest, bytes->data, bytes->size);
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
    DP_TRY(dp_buf_reserve(image, (size_t)size + FOOTER_SIZE));
    if (H5Fget_file_image(h5->file, image->data, (size_t)size) != size)
        return h5_failed("give the bytes", "");
    image->size = (size_t)size;
    return DP_OK;
}

static dp_status add_footer(dp_buf *image, const ImageFacts *facts)
{
    char bytes[FOOTER_SIZE];
    footer_write(bytes, &(Footer){.at = (uint64_t)facts->index_at,
                                  .size = (uint64_t)facts->index_bytes,
                                  .digest = facts->index_digest,
                                  .body = image->size,
                                  .check = check_bytes(image->data, image->size)});
    return dp_buf_add(image, bytes, sizeof bytes);
}

dp_status image_build(dp_buf *image, ImageFacts *facts, ImageStream *streams, int n, ImageCounts counts)
{
    dp_status st = DP_OK;
    H5 h5 = {H5I_INVALID_HID, H5I_INVALID_HID, H5I_INVALID_HID};
    size_t room = SLACK + (size_t)n * 1024;
    uint32_t n_chunks = 0, most = 1;
    Chunk *chunks = NULL;
    dp_buf index = {0};
    for (int i = 0; i < n; i++) {
        for (uint32_t c = 0; c < streams[i].stream.chunks; c++)
            room += streams[i].chunk[c].stored;
        n_chunks += streams[i].stream.chunks;
        most = streams[i].stream.chunks > most ? streams[i].stream.chunks : most;
    }
    DP_GO(h5_ready());
    DP_GO(dp_new(&chunks, n_chunks));
    DP_GO(make_file(&h5, room, most));
    DP_GO(describe_file(&h5, counts.rows));
    for (int i = 0, c = 0; i < n; c += (int)streams[i++].stream.chunks)
        DP_GO(write_stream(&h5, &streams[i], chunks + c));
    DP_GO(index_bytes(&index, streams, n, chunks, n_chunks, counts));
    DP_GO(write_index(&h5, &index, facts));
    DP_GO(take_image(&h5, image));
    DP_GO(add_footer(image, facts));
done:
    if (h5.text >= 0)
        H5Tclose(h5.text);
    if (h5.scalar >= 0)
        H5Sclose(h5.scalar);
    if (h5.file >= 0 && H5Fclose(h5.file) < 0 && st == DP_OK)
        st = h5_failed("close the file", "");
    dp_buf_free(&index);
    dp_free(&chunks);
    return st;
}
