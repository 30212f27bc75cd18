/* block.h -- one column of one block out of a partition. */
#ifndef DIPPER_LAKE_BLOCK_H
#define DIPPER_LAKE_BLOCK_H

#include "lake/lake_priv.h"

/* An open partition. */
typedef struct Reader {
    int fd;
    const Index *index;
    const char *path; /* for messages */
} Reader;

typedef struct DictBuf {
    LakeDict dict;
    dp_buf offset, bytes;
} DictBuf;
void dict_free(DictBuf *dict);
/* Local. The dictionary of a category column; one entry, the empty text, where the partition lacks the column. */
dp_status dict_read(DictBuf *dict, Codec *codec, const Reader *reader, const char *prefix, const char *column);

/* Memory of one column of a block, used again and again. */
typedef struct ValueBuf {
    LakeValues values;
    dp_buf data, text_at, text;
} ValueBuf;
void value_free(ValueBuf *value);
/* Local. Rows of block number `block`. All missing where the partition lacks the column (a delivery from before it was
 * added). prefix: "" or "_quarantine/"; rows: of that part. */
dp_status value_read(ValueBuf *value, Codec *codec, const Reader *reader, const char *prefix, const LakeColumn *column,
                     const LakeDict *dict, uint32_t block, int64_t rows);
/* Local. Elements of a stream of one fixed width that is not in the schema ("_deleted"); *data NULL: it is not there.
 */
dp_status stream_read(dp_buf *out, const void **data, Codec *codec, const Reader *reader, const char *name,
                      StreamKind kind, uint32_t block, int64_t rows);
/* Rows of a block of a part of `rows` rows. */
int32_t rows_of_block(int64_t rows, uint32_t block);

#endif
