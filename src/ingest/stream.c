/* Text that can only be read from its start: gzip (also several members one behind the other), and encodings in which
 * an ASCII byte can be part of another character (UTF-16, ISO-2022). */
#include "ingest/ingest_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>
#include <zlib.h>

enum { BLOCK = 256 << 10 };

struct IngestStream {
    int fd;
    const char *name;
    bool gzip, ended, in_member; /* ended: of the file; in_member: a gzip member is not finished */
    z_stream z;
    bool z_open;
    unsigned char *packed; /* [BLOCK] as on disk */
    iconv_t iconv;
    size_t unit; /* bytes to skip where iconv refuses: a lone surrogate must not shift what follows */
    char *raw;   /* [BLOCK] before conversion */
    size_t raw_size;
    bool raw_ended;
};

static size_t unit_of(const char *encoding)
{
    if (strncasecmp(encoding, "utf-16", 6) == 0 || strncasecmp(encoding, "ucs-2", 5) == 0)
        return 2;
    return strncasecmp(encoding, "utf-32", 6) == 0 || strncasecmp(encoding, "ucs-4", 5) == 0 ? 4 : 1;
}

dp_status ingest_stream_open(IngestStream **stream, const IngestFile *file, const char *encoding)
{
    dp_status st = DP_OK;
    IngestStream *s = NULL;
    DP_TRY(dp_new(&s, 1));
    s->fd = -1;
    s->name = file->name;
    s->gzip = file->gzip;
    s->unit = encoding ? unit_of(encoding) : 1;
    s->iconv = (iconv_t)-1;
    DP_GO(dp_new(&s->packed, BLOCK));
    DP_GO(dp_new(&s->raw, BLOCK));
    s->fd = open(file->path, O_RDONLY | O_CLOEXEC);
    if (s->fd < 0) {
        st = dp_fail(dp_status_of_errno(errno, DP_ERR_IO), "ingest-10", "cannot open %s: %s", s->name, strerror(errno));
        goto done;
    }
    if (encoding && (s->iconv = iconv_open("UTF-8", encoding)) == (iconv_t)-1) {
        st = dp_fail(DP_ERR_CONFIG, "ingest-03", "iconv on this machine does not know the encoding '%s'", encoding);
        goto done;
    }
    if (s->gzip && inflateInit2(&s->z, 15 + 16) != Z_OK) {
        st = dp_fail(DP_ERR_AGAIN, "ingest-12", "no memory to unpack %s", s->name);
        goto done;
    }
    s->z_open = s->gzip;
done:
    if (st != DP_OK)
        ingest_stream_close(&s);
    *stream = s;
    return st;
}

void ingest_stream_close(IngestStream **stream)
{
    IngestStream *s = *stream;
    if (!s)
        return;
    if (s->fd >= 0)
        close(s->fd);
    if (s->z_open)
        inflateEnd(&s->z);
    if (s->iconv != (iconv_t)-1)
        iconv_close(s->iconv);
    dp_free(&s->packed);
    dp_free(&s->raw);
    dp_free(stream);
}

static dp_status read_file(IngestStream *s, void *out, size_t room, size_t *size)
{
    ssize_t n;
    do
        n = read(s->fd, out, room);
    while (n < 0 && errno == EINTR);
    if (n < 0)
        return dp_fail(DP_ERR_IO, "ingest-10", "cannot read %s: %s", s->name, strerror(errno));
    *size = (size_t)n;
    s->ended = n == 0;
    return DP_OK;
}

static dp_status broken(const IngestStream *s, const char *how)
{
    return dp_fail(DP_ERR_DATA, "ingest-12",
                   "%s is not a whole gzip file (%s); fetch it again, `gzip -t` tells when it is good", s->name, how);
}

/* Inflated bytes; *size 0 at the end of the file. */
static dp_status unpack(IngestStream *s, char *out, size_t room, size_t *size)
{
    *size = 0;
    s->z.next_out = (unsigned char *)out;
    s->z.avail_out = (unsigned)room;
    while (s->z.avail_out == (unsigned)room) {
        if (s->z.avail_in == 0) {
            size_t n = 0;
            DP_TRY(read_file(s, s->packed, BLOCK, &n));
            if (n == 0)
                return s->in_member ? broken(s, "it ends too early") : DP_OK;
            s->z.next_in = s->packed;
            s->z.avail_in = (unsigned)n;
        }
        if (!s->in_member) {
            inflateReset(&s->z);
            s->in_member = true;
        }
        int code = inflate(&s->z, Z_NO_FLUSH);
        if (code == Z_STREAM_END)
            s->in_member = false;
        else if (code == Z_MEM_ERROR)
            return dp_fail(DP_ERR_AGAIN, "ingest-12", "no memory to unpack %s", s->name);
        else if (code != Z_OK && code != Z_BUF_ERROR)
            return broken(s, s->z.msg ? s->z.msg : "wrong bytes");
    }
    *size = room - s->z.avail_out;
    return DP_OK;
}

static dp_status read_raw(IngestStream *s, char *out, size_t room, size_t *size)
{
    return s->gzip ? unpack(s, out, room, size) : read_file(s, out, room, size);
}

/* Converted bytes; what iconv refuses becomes 0xFF, which no UTF-8 has: the row is found bad. */
static dp_status convert(IngestStream *s, char *out, size_t room, size_t *size)
{
    char *to = out;
    size_t space = room;
    while (to == out) {
        if (!s->raw_ended && s->raw_size < BLOCK / 2) {
            size_t n = 0;
            DP_TRY(read_raw(s, s->raw + s->raw_size, BLOCK - s->raw_size, &n));
            s->raw_size += n;
            s->raw_ended = n == 0;
        }
        if (s->raw_size == 0)
            break;
        char *from = s->raw;
        size_t left = s->raw_size;
        size_t done = iconv(s->iconv, &from, &left, &to, &space);
        bool refused = done == (size_t)-1 && (errno == EILSEQ || (errno == EINVAL && s->raw_ended));
        if (refused && space > 0) {
            *to++ = (char)0xFF;
            size_t skip = left < s->unit ? left : s->unit;
            from += skip;
            left -= skip;
        }
        memmove(s->raw, from, left);
        s->raw_size = left;
    }
    *size = (size_t)(to - out);
    return DP_OK;
}

dp_status ingest_stream_read(IngestStream *s, char *out, size_t room, size_t *size)
{
    *size = 0;
    if (s->iconv == (iconv_t)-1)
        return read_raw(s, out, room < (1u << 30) ? room : 1u << 30, size);
    return room < 64 ? DP_OK : convert(s, out, room, size);
}
