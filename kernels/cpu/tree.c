/* The tree operations on processors: work cut into pieces for threads, loops by instruction set (tree_loops.h). Sums
 * are integers, so it does not matter which thread adds first. */
#include <omp.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "device/backend.h"
#include "device/tree_math.h"
#include "kernels/cpu/tree_loops.h"

enum { PIECE = 1 << 14 };

/* Thread t of T takes pieces of N rows: where its share begins, in whole pieces of 64 rows (a cache line of bytes). */
static int64_t share(int64_t n, int t, int threads)
{
    int64_t pieces = (n + 63) / 64, at = pieces * t / threads * 64;
    return at < n ? at : n;
}

static void bin(const DeviceContext *context, const float *values, int64_t n, const float *border, int n_borders,
                uint8_t *bins)
{
    int threads = context->threads;
#pragma omp parallel for num_threads(threads) if (n > PIECE) schedule(static)
    for (int t = 0; t < threads; t++) {
        int64_t from = share(n, t, threads);
        context->cpu->bin(values + from, share(n, t + 1, threads) - from, border, n_borders, bins + from);
    }
}

/* 64 rows at a time, so that what is written stays in the first-level cache. */
static void transpose_rows(const TreeBins *bins, int b, int64_t from, int64_t to, uint8_t *rows)
{
    int width = tree_block_width(bins, b);
    for (int64_t at = from; at < to; at += 64) {
        int64_t end = at + 64 < to ? at + 64 : to;
        for (int j = 0; j < width; j++) {
            const uint8_t *column = bins->column + (b * TREE_BLOCK + j) * bins->pitch;
            for (int64_t i = at; i < end; i++)
                rows[i * width + j] = column[i];
        }
    }
}

static void transpose(const DeviceContext *context, const TreeBins *bins, int64_t from, int64_t to, uint8_t *block)
{
    int threads = context->threads;
    for (int b = 0; b * TREE_BLOCK < bins->features; b++) {
        uint8_t *rows = block + (int64_t)b * TREE_BLOCK * bins->n;
#pragma omp parallel for num_threads(threads) if (to - from > PIECE) schedule(static)
        for (int t = 0; t < threads; t++)
            transpose_rows(bins, b, from + share(to - from, t, threads), from + share(to - from, t + 1, threads), rows);
    }
}

static void sizes(const DeviceContext *context, const TreeSizes *job)
{
    int threads = context->threads;
#pragma omp parallel for num_threads(threads) if (job->loss.n > PIECE) schedule(static)
    for (int t = 0; t < threads; t++) {
        int64_t count[TREE_SIZES] = {0};
        context->cpu->sizes(job, share(job->loss.n, t, threads), share(job->loss.n, t + 1, threads), count);
#pragma omp critical(tree_sizes)
        for (int k = 0; k < TREE_SIZES; k++)
            job->count[k] += count[k];
    }
}

static void list(const DeviceContext *context, const TreeListing *job)
{
    int64_t rows = job->from[job->shards] - job->from[0];
#pragma omp parallel for num_threads(context->threads) if (rows > PIECE) schedule(static)
    for (int s = 0; s < job->shards; s++) {
        int64_t at = job->from[s];
        job->segment[s] =
            (TreeSegment){.begin = at, .count = context->cpu->list(job->pair, at, job->from[s + 1], job->index + at)};
    }
}

static void gradients(const DeviceContext *context, const TreeGradients *job)
{
    int threads = context->threads;
#pragma omp parallel for num_threads(threads) if (job->loss.n > PIECE) schedule(static)
    for (int t = 0; t < threads; t++)
        context->cpu->gradients(job, share(job->loss.n, t, threads), share(job->loss.n, t + 1, threads));
}

/* ---- histograms ---- */

/* A flag for each group of (node, block): threads that add to the same cells take turns. */
enum { LOCKS = 64 };
typedef struct Locks {
    _Alignas(64) struct {
        atomic_flag taken;
        char apart[63];
    } lock[LOCKS];
} Locks;

static CpuBlock block_of(const TreeHistogram *job, int b, int *first)
{
    const TreeFeatures *features = job->features;
    CpuBlock block = {.rows = tree_block(job->bins, b), .width = tree_block_width(job->bins, b)};
    int j = 0;
    while (j < features->n && features->id[j] < b * TREE_BLOCK)
        j++;
    *first = j;
    for (; j < features->n && features->id[j] < (b + 1) * TREE_BLOCK; j++)
        block.offset[block.n++] = (uint8_t)(features->id[j] - b * TREE_BLOCK);
    return block;
}

static void empty_cells(const DeviceContext *context, const TreeHistogram *job, const CpuBlock *block, int first,
                        int node, char *cells, Locks *locks)
{
    size_t size = job->levels <= CELL_LEVELS ? sizeof(uint32_t) : sizeof(uint64_t);
    atomic_flag *taken = &locks->lock[(node * 7 + first / TREE_BLOCK) % LOCKS].taken;
    while (atomic_flag_test_and_set_explicit(taken, memory_order_acquire))
        ;
    for (int j = 0; j < block->n; j++)
        context->cpu->flush(cells + (size_t)j * CELL_BINS * size, job->levels,
                            job->features->at[first + j + 1] - job->features->at[first + j],
                            job->out + tree_cell(job->features, 0, first + j, job->nodes, node));
    atomic_flag_clear_explicit(taken, memory_order_release);
}

static void count_piece(const DeviceContext *context, const TreeHistogram *job, int b, const TreeSegment *piece,
                        char *cells, Locks *locks)
{
    int first;
    CpuBlock block = block_of(job, b, &first);
    if (block.n == 0)
        return;
    for (int64_t done = 0; done < piece->count;) {
        done += context->cpu->count(&block, job->pair, job->index + piece->begin + done, piece->count - done,
                                    job->levels, cells);
        empty_cells(context, job, &block, first, piece->node, cells, locks);
        if (job->meanwhile && omp_get_thread_num() == 0) /* the calling thread */
            job->meanwhile(job->with);
    }
}

/* Pieces of at most CELL_ROWS rows: piece p of a segment. */
static int64_t pieces_of(const TreeSegment *segment)
{
    return (segment->count + CELL_ROWS - 1) / CELL_ROWS;
}

static void histogram(const DeviceContext *context, const TreeHistogram *job)
{
    int blocks = (job->bins->features + TREE_BLOCK - 1) / TREE_BLOCK;
    int64_t rows = 0;
    Locks locks;
    for (int i = 0; i < LOCKS; i++)
        atomic_flag_clear(&locks.lock[i].taken);
    if (!job->add)
        memset(job->out, 0, (size_t)job->features->at[job->features->n] * (size_t)job->nodes * 2 * sizeof *job->out);
    for (int s = 0; s < job->segments; s++)
        rows += job->segment[s].count;
#pragma omp parallel num_threads(context->threads) if (rows > 1024)
    {
        _Alignas(64) uint64_t cells[TREE_BLOCK * CELL_BINS];
        memset(cells, 0, sizeof cells);
#pragma omp for schedule(dynamic) collapse(2)
        for (int b = 0; b < blocks; b++)
            for (int s = 0; s < job->segments; s++) {
                TreeSegment piece = job->segment[s];
                int64_t end = piece.begin + piece.count, n = pieces_of(&piece);
                for (int64_t p = 0; p < n; p++) {
                    piece.begin = end - job->segment[s].count + p * CELL_ROWS;
                    piece.count = end - piece.begin < CELL_ROWS ? end - piece.begin : CELL_ROWS;
                    count_piece(context, job, b, &piece, (char *)cells, &locks);
                }
            }
    }
}

static void siblings(const DeviceContext *context, const TreeSiblings *job)
{
    const TreeFeatures *features = job->features;
#pragma omp parallel for num_threads(context->threads) if (job->siblings > 1) schedule(static)
    for (int j = job->first; j < job->last; j++)
        for (int i = 0; i < job->siblings; i++) {
            const TreeSibling *s = &job->sibling[i];
            const int64_t *parent = job->parents + tree_cell(features, job->first, j, job->n_parents, s->parent);
            const int64_t *built = job->built + tree_cell(features, job->first, j, job->n_built, s->built);
            int64_t *restrict smaller = job->out + tree_cell(features, job->first, j, job->n_out, s->smaller);
            int64_t *restrict larger = job->out + tree_cell(features, job->first, j, job->n_out, s->larger);
            for (int c = 0; c < 2 * (features->at[j + 1] - features->at[j]); c++) {
                smaller[c] = built[c];
                larger[c] = parent[c] - built[c];
            }
        }
}

/* ---- splits ---- */

static CpuScore score_job(const TreeScores *job, int j, int k)
{
    return (CpuScore){.cells = job->histogram + tree_scored_cell(job, j, k),
                      .bins = job->features->at[j + 1] - job->features->at[j],
                      .rows_least = job->rows_least,
                      .g_unit = job->g_unit,
                      .h_unit = job->h_unit,
                      .l1 = job->l1,
                      .l2 = job->l2,
                      .h_least = job->h_least,
                      .bounds = job->bounds ? job->bounds + 2 * k : NULL,
                      .rise = job->bounds ? job->rise[job->features->id[j]] : 0};
}

/* The best candidate of one feature in one node. */
static TreeSplit best_of(const DeviceContext *context, const TreeScores *job, int j, int k)
{
    double own, left[CELL_BINS], right[CELL_BINS];
    bool missing;
    TreeSplit best = {0, 0};
    CpuScore score = score_job(job, j, k);
    context->cpu->scores(&score, &missing, &own, left, right);
    int best_s = -1, best_right = 0;
    for (int s = 0; s < score.bins - 1; s++) {
        if (left[s] > best.score)
            best.score = left[s], best_s = s, best_right = 0;
        if (missing && s > 0 && right[s] > best.score)
            best.score = right[s], best_s = s, best_right = 1;
    }
    if (best_s < 0 || !(best.score > own * TREE_GAIN_LEAST))
        return (TreeSplit){0, 0};
    best.code = TREE_SPLIT_CODE(job->features->id[j], best_s, best_right);
    return best;
}

static void best_splits(const DeviceContext *context, const TreeScores *job, TreeSplit *best)
{
#pragma omp parallel for num_threads(context->threads) if (job->nodes > 1) schedule(dynamic)
    for (int k = 0; k < job->nodes; k++) {
        best[k] = (TreeSplit){0, 0};
        for (int j = job->first; j < job->last; j++) {
            TreeSplit split = best_of(context, job, j, k);
            if (split.score > best[k].score)
                best[k] = split;
        }
    }
}

static void level_scores(const DeviceContext *context, const TreeScores *job, double *total, double *parent)
{
    const TreeFeatures *features = job->features;
    double first_own = *parent;
#pragma omp parallel for num_threads(context->threads) schedule(dynamic)
    for (int j = job->first; j < job->last; j++) {
        double *at = total + 2 * (features->at[j] - features->at[job->first]);
        for (int k = 0; k < job->nodes; k++) {
            double own, left[CELL_BINS], right[CELL_BINS];
            bool missing;
            CpuScore score = score_job(job, j, k);
            context->cpu->scores(&score, &missing, &own, left, right);
            if (j == job->first)
                first_own += own;
            for (int s = 0; s < score.bins; s++) {
                double r = missing ? right[s] : left[s];
                at[2 * s] += left[s] < 0 ? own : left[s];
                at[2 * s + 1] += r < 0 ? own : r;
            }
        }
    }
    *parent = first_own;
}

/* ---- rows to leaves ---- */

/* Is it enough work for more than one thread? */
static bool many_rows(const TreeCut *cut, int cuts)
{
    int64_t rows = 0;
    for (int c = 0; c < cuts; c++)
        rows += cut[c].segment.count;
    return rows > PIECE;
}

static void partition(const DeviceContext *context, const TreePartition *job)
{
#pragma omp parallel for num_threads(context->threads) if (many_rows(job->cut, job->cuts)) schedule(dynamic)
    for (int c = 0; c < job->cuts; c++) {
        TreeCut *cut = &job->cut[c];
        uint32_t *index = job->index + cut->segment.begin, *right = job->scratch + cut->segment.begin;
        cut->left = context->cpu->partition(job->bins->column + cut->feature * job->bins->pitch, cut->bin,
                                            cut->missing_right, index, cut->segment.count, right);
        memcpy(index + cut->left, right, (size_t)(cut->segment.count - cut->left) * sizeof *index);
    }
}

enum { SUM_LEAVES = 1024, SUM_ROWS = 512 };

static void sum_rows(const DeviceContext *context, const TreeLeafSums *job, int64_t from, int64_t to, int64_t *sum)
{
    int64_t g[SUM_ROWS], h[SUM_ROWS];
    for (int64_t at = from; at < to; at += SUM_ROWS) {
        int n = to - at < SUM_ROWS ? (int)(to - at) : SUM_ROWS;
        context->cpu->fixed_gradients(job, at, n, g, h);
        for (int i = 0; i < n; i++) {
            int64_t *leaf = sum + 3 * job->leaf[at + i];
            int64_t train = -(int64_t)(job->loss.part[at + i] == 0);
            leaf[0] += g[i] & train;
            leaf[1] += h[i] & train;
            leaf[2] -= train;
        }
    }
}

static void leaf_sums(const DeviceContext *context, const TreeLeafSums *job)
{
    int threads = job->leaves <= SUM_LEAVES ? context->threads : 1;
    if (threads == 1) {
        sum_rows(context, job, 0, job->loss.n, job->sum);
        return;
    }
#pragma omp parallel for num_threads(threads) if (job->loss.n > PIECE) schedule(static)
    for (int t = 0; t < threads; t++) {
        int64_t sum[3 * SUM_LEAVES];
        memset(sum, 0, (size_t)job->leaves * 3 * sizeof *sum);
        sum_rows(context, job, share(job->loss.n, t, threads), share(job->loss.n, t + 1, threads), sum);
#pragma omp critical(tree_leaf_sums)
        for (int i = 0; i < 3 * job->leaves; i++)
            job->sum[i] += sum[i];
    }
}

static void add_leaves(const DeviceContext *context, const TreeAddLeaves *job)
{
    int threads = context->threads;
#pragma omp parallel for num_threads(threads) if (job->n > PIECE) schedule(static)
    for (int t = 0; t < threads; t++)
        context->cpu->add_leaves(job, share(job->n, t, threads), share(job->n, t + 1, threads));
}

static void walk(const DeviceContext *context, const TreeWalk *job)
{
    int threads = context->threads;
    int64_t n = job->to - job->from;
#pragma omp parallel for num_threads(threads) if (n > PIECE) schedule(static)
    for (int t = 0; t < threads; t++)
        context->cpu->walk(job, job->from + share(n, t, threads), job->from + share(n, t + 1, threads));
}

/* The processor has no other memory than the host's. */
static void hold(const DeviceContext *context, const void *host, size_t bytes)
{
    (void)context, (void)host, (void)bytes;
}

static void release(const DeviceContext *context, const void *host)
{
    (void)context, (void)host;
}

static void fetch(const DeviceContext *context, void *host, size_t bytes)
{
    (void)context, (void)host, (void)bytes;
}

static bool lost(const DeviceContext *context)
{
    (void)context;
    return false;
}

/* Sums of memory of the host are comm's. */
static bool invite(const DeviceContext *context, DeviceInvitation *invitation)
{
    (void)context, (void)invitation;
    return false;
}

static bool join(const DeviceContext *context, const DeviceInvitation *invitation, int rank, int ranks)
{
    (void)context, (void)invitation, (void)rank, (void)ranks;
    return false;
}

static void leave(const DeviceContext *context)
{
    (void)context;
}

/* Alone: nobody else came in. */
static void sum_parts(const DeviceContext *context, const DeviceParts *job)
{
    (void)context;
    memcpy(job->mine, job->all, (size_t)job->counts[0] * sizeof *job->mine);
}

/* A processor sorts: faster than counting 32 times. So the other two are never asked. */
static bool take_keys(const DeviceContext *context, TreeKeyColumn *column)
{
    (void)context, (void)column;
    return false;
}

static void *keep(const DeviceContext *context, const TreeBins *bins)
{
    (void)context, (void)bins;
    return NULL; /* the bins are in this memory already */
}

static void drop(const DeviceContext *context, void *kept)
{
    (void)context, (void)kept;
}

static void *keep_plan(const DeviceContext *context, const TreePlan *plan)
{
    (void)context, (void)plan;
    return NULL;
}

static void margins(const DeviceContext *context, const TreeMargins *job)
{
    if (job->n < PLAN_FEW)
        margins_few(job);
    else
        context->cpu->margins(job);
}

static const TreeOps tree_ops = {
    .hold = hold,
    .release = release,
    .put = hold, /* nothing to do either */
    .fetch = fetch,
    .lost = lost,
    .invite = invite,
    .join = join,
    .leave = leave,
    .sum_parts = sum_parts,
    .take_keys = take_keys,
    .keep = keep,
    .drop = drop,
    .bin = bin,
    .transpose = transpose,
    .sizes = sizes,
    .gradients = gradients,
    .list = list,
    .histogram = histogram,
    .siblings = siblings,
    .best_splits = best_splits,
    .level_scores = level_scores,
    .partition = partition,
    .leaf_sums = leaf_sums,
    .add_leaves = add_leaves,
    .walk = walk,
    .keep_plan = keep_plan,
    .drop_plan = drop,
    .margins = margins,
};

/* The best loops that the processor runs, or the lesser ones that DIPPER_CPU asks for. */
static const CpuLoops *choose_loops(void)
{
    const char *asked = getenv("DIPPER_CPU");
    bool scalar = asked && strcmp(asked, "scalar") == 0, avx2 = asked && strcmp(asked, "avx2") == 0;
    if (!scalar && !avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
        __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") &&
        __builtin_cpu_supports("avx512vbmi") && __builtin_cpu_supports("avx512vbmi2") && __builtin_cpu_supports("gfni"))
        return &cpu_loops_avx512;
    if (!scalar && __builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi2") && __builtin_cpu_supports("fma"))
        return &cpu_loops_avx2;
    return &cpu_loops_scalar;
}

static const char *open_cpu(DeviceContext *context, int ordinal, char *what, size_t size)
{
    (void)ordinal;
    context->cpu = choose_loops();
    snprintf(what, size, "cpu %s", context->cpu->name);
    return NULL;
}

static void close_cpu(DeviceContext *context)
{
    (void)context;
}

const Backend backend_cpu = {
    .abi = DEVICE_ABI,
    .name = "cpu",
    .rows_at_once = 4096,
    .open = open_cpu,
    .close = close_cpu,
    .trees = &tree_ops,
};
