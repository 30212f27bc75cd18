/* Lists of rows, kept in order: the drawn rows of a tree, and a node's rows split in two. Rows go in tiles: each tile
 * counts those that stay left, the counts are summed along a segment, and each tile then knows where its rows go. */
#include "kernels/cuda/cuda_priv.h"

#include <cstdlib>

enum { WARPS = 8 };
static constexpr int THREADS = WARPS * 32;
static constexpr int64_t TILE = 4096;

/* Consecutive rows of one segment (a shard, or a node's rows that are split). */
struct Tile {
    int64_t begin, count;
    int32_t of;
};
/* A segment's tiles: first .. last - 1; its rows begin at `begin`. */
struct Part {
    int64_t begin;
    int32_t first, last;
    int32_t feature, bin, missing_right;
};

/* What decides whether a row stays left. */
struct Drawn {
    const TreePair *pair;
    __device__ bool left(const Part &, uint32_t row) const
    {
        return pair[row] != TREE_NOT_DRAWN;
    }
};
struct Split {
    const uint8_t *bins;
    int64_t n;
    int features;
    __device__ bool left(const Part &part, uint32_t row) const
    {
        const int block = part.feature / TREE_BLOCK, width = min(features - block * TREE_BLOCK, (int)TREE_BLOCK);
        const int b = bins[(int64_t)block * TREE_BLOCK * n + (int64_t)row * width + part.feature % TREE_BLOCK];
        return b == 0 ? !part.missing_right : b <= part.bin;
    }
};

/* The row at a place: of a list, or itself where there is none yet. */
__device__ static inline uint32_t row_at(const uint32_t *index, int64_t place)
{
    return index ? index[place] : (uint32_t)place;
}

/* How many of the block's threads before this one say yes; *all: how many at all. */
__device__ static inline int rank_in_block(bool yes, int *all)
{
    __shared__ int of_warp[WARPS];
    const unsigned mask = __ballot_sync(0xffffffffU, yes);
    const int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
    int before = __popc(mask & ((1U << lane) - 1));
    __syncthreads(); /* those of the last call have been read */
    if (lane == 0)
        of_warp[warp] = __popc(mask);
    __syncthreads();
    *all = 0;
    for (int w = 0; w < WARPS; w++) {
        before += w < warp ? of_warp[w] : 0;
        *all += of_warp[w];
    }
    return before;
}

/* Launch: a block a tile. */
template <class Rule>
__global__ void count_left(Rule rule, const Tile *tiles, const Part *parts, const uint32_t *index, int32_t *left)
{
    const Tile tile = tiles[blockIdx.x];
    const Part part = parts[tile.of];
    int sum = 0, all;
    for (int64_t at = 0; at < tile.count; at += THREADS) {
        const int64_t i = at + threadIdx.x;
        rank_in_block(i < tile.count && rule.left(part, row_at(index, tile.begin + i)), &all);
        sum += all;
    }
    if (threadIdx.x == 0)
        left[blockIdx.x] = sum;
}

/* Launch: a block a segment. left of each tile becomes the sum of those before it; out: of all. */
__global__ void sum_tiles(const Part *parts, int32_t *left, int64_t *out)
{
    __shared__ int64_t of_warp[WARPS];
    const Part part = parts[blockIdx.x];
    const int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
    int64_t running = 0;
    for (int at = part.first; at < part.last; at += THREADS) {
        const int tile = at + (int)threadIdx.x;
        const int64_t mine = tile < part.last ? left[tile] : 0;
        int64_t upto = mine;
        for (int by = 1; by < 32; by *= 2) {
            const int64_t other = __shfl_up_sync(0xffffffffU, upto, by);
            upto += lane >= by ? other : 0;
        }
        __syncthreads();
        if (lane == 31)
            of_warp[warp] = upto;
        __syncthreads();
        int64_t before = running + upto - mine;
        for (int w = 0; w < WARPS; w++) {
            before += w < warp ? of_warp[w] : 0;
            running += of_warp[w];
        }
        if (tile < part.last)
            left[tile] = (int32_t)before;
    }
    if (threadIdx.x == 0)
        out[blockIdx.x] = running;
}

/* Launch: a block a tile. to: as the list; those that do not stay left follow the segment's others, or are left out. */
template <class Rule>
__global__ void place_rows(Rule rule, const Tile *tiles, const Part *parts, const uint32_t *index, const int32_t *left,
                           const int64_t *all_left, bool others, uint32_t *to)
{
    const Tile tile = tiles[blockIdx.x];
    const Part part = parts[tile.of];
    int64_t next_left = part.begin + left[blockIdx.x];
    int64_t next_right = part.begin + all_left[tile.of] + (tile.begin - part.begin - left[blockIdx.x]);
    for (int64_t at = 0; at < tile.count; at += THREADS) {
        const int64_t i = at + threadIdx.x, here = tile.count - at < THREADS ? tile.count - at : THREADS;
        const bool is = i < tile.count;
        const uint32_t row = is ? row_at(index, tile.begin + i) : 0;
        const bool stays = is && rule.left(part, row);
        int all;
        const int before = rank_in_block(stays, &all);
        if (stays)
            to[next_left + before] = row;
        else if (is && others)
            to[next_right + (int)threadIdx.x - before] = row;
        next_left += all;
        next_right += here - all;
    }
}

__global__ void copy_rows(const Tile *tiles, const uint32_t *from, uint32_t *to)
{
    const Tile tile = tiles[blockIdx.x];
    for (int64_t i = threadIdx.x; i < tile.count; i += THREADS)
        to[tile.begin + i] = from[tile.begin + i];
}

/* The tiles of n segments, on the card. */
struct Tiles {
    Tile *tile;
    Part *part; /* [parts] */
    int tiles, parts;
    const Tile *tile_there;
    const Part *part_there;
    int32_t *left_there;
    int64_t *all_there;
};

static bool tiles_begin(Tiles *tiles, int parts, int64_t rows)
{
    *tiles = Tiles{};
    tiles->tile = static_cast<Tile *>(calloc((size_t)(rows / TILE) + (size_t)parts + 1, sizeof(Tile)));
    tiles->part = static_cast<Part *>(calloc((size_t)parts + 1, sizeof(Part)));
    return tiles->tile && tiles->part;
}

static void tiles_add(Tiles *tiles, Part part, int64_t count)
{
    part.first = tiles->tiles;
    for (int64_t at = 0; at < count; at += TILE)
        tiles->tile[tiles->tiles++] = Tile{part.begin + at, count - at < TILE ? count - at : TILE, tiles->parts};
    part.last = tiles->tiles;
    tiles->part[tiles->parts++] = part;
}

static bool tiles_upload(CudaCard *card, Tiles *tiles)
{
    tiles->tile_there = cuda_in(card, ROOM_PIECES, tiles->tile, tiles->tiles);
    tiles->part_there = cuda_in(card, ROOM_CUTS, tiles->part, tiles->parts);
    tiles->left_there = static_cast<int32_t *>(cuda_room(card, ROOM_COUNTS, (size_t)tiles->tiles * sizeof(int32_t)));
    tiles->all_there = static_cast<int64_t *>(cuda_room(card, ROOM_SUMS, (size_t)tiles->parts * sizeof(int64_t)));
    return !card->failed;
}

static void tiles_free(Tiles *tiles)
{
    free(tiles->tile);
    free(tiles->part);
}

/* Rows of `index` (NULL: the places themselves) to `to`; how many stayed left, of each segment. */
template <class Rule>
static void split_tiles(CudaCard *card, const Tiles *tiles, Rule rule, const uint32_t *index, bool others, uint32_t *to,
                        int64_t *all_left)
{
    if (tiles->tiles > 0)
        CUDA_LAUNCH(count_left<Rule>, (unsigned)tiles->tiles, THREADS, 0, card->stream, rule, tiles->tile_there,
                    tiles->part_there, index, tiles->left_there);
    CUDA_LAUNCH(sum_tiles, (unsigned)tiles->parts, THREADS, 0, card->stream, tiles->part_there, tiles->left_there,
                tiles->all_there);
    if (tiles->tiles > 0)
        CUDA_LAUNCH(place_rows<Rule>, (unsigned)tiles->tiles, THREADS, 0, card->stream, rule, tiles->tile_there,
                    tiles->part_there, index, tiles->left_there, tiles->all_there, others, to);
    cuda_is_good(card, cudaMemcpyAsync(all_left, tiles->all_there, (size_t)tiles->parts * sizeof *all_left,
                                       cudaMemcpyDeviceToHost, card->stream));
}

/* ---- the operations ---- */

static void list(const DeviceContext *context, const TreeListing *job)
{
    CudaCard *card = card_of(context);
    const int64_t first = job->from[0], end = job->from[job->shards], n = end - first;
    Tiles tiles;
    int64_t *drawn = static_cast<int64_t *>(calloc((size_t)job->shards + 1, sizeof *drawn));
    bool good = tiles_begin(&tiles, job->shards, n) && drawn;
    for (int s = 0; good && s < job->shards; s++) {
        Part part = {};
        part.begin = job->from[s];
        tiles_add(&tiles, part, job->from[s + 1] - job->from[s]);
    }
    /* Places are those of whole arrays; what is not held is copied from the first row on. */
    const TreePair *pair = cuda_in(card, ROOM_PAIR, job->pair, end);
    uint32_t *index = cuda_out(card, ROOM_INDEX, job->index, end, false);
    good = good && tiles_upload(card, &tiles);
    if (good && n > 0) {
        split_tiles(card, &tiles, Drawn{pair}, nullptr, false, index, drawn);
        cuda_back(card, job->index + first, index + first, n);
    }
    if (!cuda_done(card) || !good)
        context->spare->list(context, job);
    else
        for (int s = 0; s < job->shards; s++) {
            job->segment[s] = TreeSegment{};
            job->segment[s].begin = job->from[s];
            job->segment[s].count = n > 0 ? drawn[s] : 0;
        }
    tiles_free(&tiles);
    free(drawn);
}

static void partition(const DeviceContext *context, const TreePartition *job)
{
    CudaCard *card = card_of(context);
    const Kept *kept = static_cast<const Kept *>(job->bins->kept);
    int64_t rows = 0, end = 0;
    Tiles tiles;
    int64_t *left = static_cast<int64_t *>(calloc((size_t)job->cuts + 1, sizeof *left));
    for (int c = 0; c < job->cuts; c++) {
        const TreeSegment *segment = &job->cut[c].segment;
        rows += segment->count;
        end = segment->begin + segment->count > end ? segment->begin + segment->count : end;
    }
    bool good = tiles_begin(&tiles, job->cuts, rows) && left && kept && !card->failed;
    for (int c = 0; good && c < job->cuts; c++) {
        const TreeCut *cut = &job->cut[c];
        Part part = {};
        part.begin = cut->segment.begin;
        part.feature = cut->feature;
        part.bin = cut->bin;
        part.missing_right = cut->missing_right;
        tiles_add(&tiles, part, cut->segment.count);
    }
    uint32_t *index = good ? cuda_out(card, ROOM_INDEX, job->index, end, true) : nullptr;
    uint32_t *to = good ? cuda_out(card, ROOM_SCRATCH, job->scratch, end, false) : nullptr;
    good = good && tiles_upload(card, &tiles);
    if (good && rows > 0) {
        split_tiles(card, &tiles, Split{kept->block, job->bins->n, job->bins->features}, index, true, to, left);
        CUDA_LAUNCH(copy_rows, (unsigned)tiles.tiles, THREADS, 0, card->stream, tiles.tile_there, to, index);
        cuda_back(card, job->index, index, end);
    }
    if (!cuda_done(card) || !good)
        context->spare->partition(context, job);
    else
        for (int c = 0; c < job->cuts; c++)
            job->cut[c].left = rows > 0 ? left[c] : 0;
    tiles_free(&tiles);
    free(left);
}

void cuda_lists_ops(TreeOps *ops)
{
    ops->list = list;
    ops->partition = partition;
}
