/* Any bytes as a partition: its index is believed as far as it holds together, and every chunk is believed to be as it
 * was written (its check is mended), so that decoding meets bytes that no checksum kept away. No crash, no read
 * outside. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "lake/block.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void mend_checks(Index *index, const uint8_t *data)
{
    Chunk *chunks = (Chunk *)(uintptr_t)index->chunks;
    for (uint32_t i = 0; i < index->n_streams; i++)
        for (uint32_t c = 0; c < index->streams[i].chunks; c++) {
            Chunk *chunk = &chunks[index->streams[i].first_chunk + c];
            chunk->check = dp_hash64(data + chunk->at, chunk->stored, 0);
        }
}

static void read_column(Codec *codec, const Reader *reader, const char *name, LakeType type, int64_t rows)
{
    const LakeColumn column = {.name = (char *)(uintptr_t)name, .type = type};
    DictBuf dict = {0};
    ValueBuf value = {0};
    if (!type_is_coded(type) || dict_read(&dict, codec, reader, "", name) == DP_OK)
        for (uint32_t b = 0; b < (uint32_t)blocks_of(rows) && b < 4; b++)
            if (value_read(&value, codec, reader, "", &column, &dict.dict, b, rows) != DP_OK)
                break;
    dict_free(&dict);
    value_free(&value);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    Footer footer;
    Index index = {0};
    Codec codec = {0};
    char *bytes = NULL;
    if (size < FOOTER_SIZE || !footer_read(&footer, (const char *)data + size - FOOTER_SIZE) ||
        footer.body > size - FOOTER_SIZE || dp_new(&bytes, footer.size) != DP_OK)
        return 0;
    if (footer.size > 0)
        memcpy(bytes, data + footer.at, footer.size);
    if (index_read(&index, bytes, footer.size, (int64_t)size, "fuzz") != DP_OK)
        return 0;
    int fd = memfd_create("partition", 0);
    if (fd < 0 || write(fd, data, size) != (ssize_t)size)
        abort();
    mend_checks(&index, data);
    Reader reader = {.fd = fd, .index = &index, .path = "fuzz"};
    for (uint32_t i = 0; i < index.n_streams && i < 16; i++) {
        char name[STREAM_NAME_MAX] = "";
        memcpy(name, index.names + index.streams[i].name_at, index.streams[i].name_size);
        name[strcspn(name, "/")] = '\0';
        for (LakeType type = LAKE_NUMBER; type <= LAKE_LABEL; type++)
            read_column(&codec, &reader, name, type, index.rows);
    }
    close(fd);
    codec_free(&codec);
    index_free(&index);
    return 0;
}
