/* Lays a model out for the kernels of margins.cu. */
#include "kernels/cuda/plan.h"

#include <cstdlib>
#include <cstring>

enum { WARP = 32 };
static constexpr uint32_t ONES = 0x01010101U;

/* Memory of the host that becomes memory of the card in one copy: pieces in order, each aligned to 16 bytes. */
struct Draft {
    char *data; /* NULL while sizes are counted */
    size_t used;
};
template <class T> static T *draft_take(Draft *draft, size_t n)
{
    T *at = draft->data ? reinterpret_cast<T *>(draft->data + draft->used) : nullptr;
    draft->used += (n * sizeof(T) + 15) / 16 * 16;
    return at;
}

static int nodes_of(const TreePlan *plan, int depth)
{
    return plan->symmetric ? depth : (1 << depth) - 1;
}

static int tree_words(const TreePlan *plan, int depth)
{
    return nodes_of(plan, depth) * (plan->symmetric ? 2 : 1) + (1 << depth);
}

/* The words of one tree; number [2 features + 1]: which lane. */
static void lay_tree(uint32_t *word, const TreePlan *plan, const TreePlanTree *tree, const int32_t *number, int threads)
{
    const int nodes = nodes_of(plan, tree->depth);
    for (int i = 0; i < nodes; i++) {
        const uint32_t walk = plan->walk[tree->node + i], least = walk & 0xFF;
        const uint32_t at = (uint32_t)number[walk >> 8] * (uint32_t)threads;
        if (plan->symmetric) {
            *word++ = at;
            *word++ = (255 - least) * ONES;
        } else
            *word++ = at << 8 | least;
    }
    memcpy(word, plan->leaf + tree->leaf, sizeof *word << tree->depth);
}

/* Groups of trees of one depth that fit the stage (or of larger ones), and their words. Both NULL: counted only. */
static int lay_groups(Group *group, uint32_t *image, int64_t *words, const TreePlan *plan, const int32_t *number,
                      int threads)
{
    int groups = 0;
    *words = 0;
    for (int t = 0; t < plan->trees;) {
        Group mine = {};
        mine.at = *words;
        mine.depth = plan->tree[t].depth;
        mine.size = tree_words(plan, mine.depth);
        const int most = mine.size > PLAN_STAGE ? plan->trees : PLAN_STAGE / mine.size;
        for (; t < plan->trees && plan->tree[t].depth == mine.depth && mine.trees < most; t++, mine.trees++) {
            if (image)
                lay_tree(image + *words, plan, &plan->tree[t], number, threads);
            *words += mine.size;
        }
        if (group)
            group[groups] = mine;
        groups++;
    }
    return groups;
}

/* Which lanes are asked, numbered; the number of them. */
static int number_lanes(int32_t *number, int32_t *lane, const TreePlan *plan)
{
    int lanes = 0;
    memset(number, 0, (2 * (size_t)plan->features + 1) * sizeof *number);
    for (int t = 0; t < plan->trees; t++)
        for (int i = 0; i < nodes_of(plan, plan->tree[t].depth); i++)
            number[plan->walk[plan->tree[t].node + i] >> 8] = 1;
    for (int q = 0; q <= 2 * plan->features; q++)
        if (number[q]) {
            lane[lanes] = q;
            number[q] = lanes++;
        }
    return lanes;
}

/* As many threads as shared memory has room for; 0: too many lanes. */
static int threads_for(int lanes)
{
    int threads = PLAN_THREADS;
    while (threads >= WARP && (lanes * threads + PLAN_STAGE) * (int)sizeof(uint32_t) > PLAN_SHARED)
        threads /= 2;
    return threads >= WARP ? threads : 0;
}

/* Everything, once to count and once to write; `on` holds places in the draft, or offsets from nothing. */
static void lay_plan(Draft *draft, Plan *on, const TreePlan *plan, const int32_t *number, const int32_t *lane,
                     int threads)
{
    int64_t words = 0;
    on->groups = lay_groups(nullptr, nullptr, &words, plan, number, threads);
    int32_t *columns = draft_take<int32_t>(draft, (size_t)plan->features),
            *lanes = draft_take<int32_t>(draft, (size_t)on->lanes);
    Search *searches = draft_take<Search>(draft, (size_t)plan->features);
    Group *groups = draft_take<Group>(draft, (size_t)on->groups);
    uint32_t *image = draft_take<uint32_t>(draft, (size_t)words);
    int32_t borders = 0;
    for (int f = 0; f < plan->features; f++) {
        if (searches)
            searches[f] = Search{borders, plan->levels[f]};
        borders += 1 << plan->levels[f];
    }
    float *border = draft_take<float>(draft, (size_t)borders);
    if (!draft->data)
        return;
    memcpy(columns, plan->column, (size_t)plan->features * sizeof *columns);
    memcpy(lanes, lane, (size_t)on->lanes * sizeof *lanes);
    lay_groups(groups, image, &words, plan, number, threads);
    for (int f = 0; f < plan->features; f++)
        memcpy(border + searches[f].at, plan->search + (int64_t)f * PLAN_SEARCH, sizeof(float) << searches[f].levels);
    on->column = columns;
    on->lane = lanes;
    on->search = searches;
    on->group = groups;
    on->image = image;
    on->border = border;
}

template <class T> static const T *moved(const T *at, const char *from, char *to)
{
    return reinterpret_cast<const T *>(to + (reinterpret_cast<const char *>(at) - from));
}

/* The draft on the card; false: there is no memory for it. */
static bool upload_plan(CudaCard *card, KeptPlan *kept, const Draft *draft)
{
    Plan *on = &kept->on;
    if (cudaMalloc(&kept->memory, draft->used) != cudaSuccess) {
        cudaGetLastError();
        return false;
    }
    char *to = static_cast<char *>(kept->memory);
    on->column = moved(on->column, draft->data, to);
    on->lane = moved(on->lane, draft->data, to);
    on->search = moved(on->search, draft->data, to);
    on->group = moved(on->group, draft->data, to);
    on->image = moved(on->image, draft->data, to);
    on->border = moved(on->border, draft->data, to);
    cuda_is_good(card, cudaMemcpyAsync(to, draft->data, draft->used, cudaMemcpyHostToDevice, card->stream));
    return cuda_done(card);
}

static void drop_plan(const DeviceContext *, void *handle)
{
    KeptPlan *kept = static_cast<KeptPlan *>(handle);
    if (kept)
        cudaFree(kept->memory);
    free(kept);
}

static void *keep_plan(const DeviceContext *context, const TreePlan *plan)
{
    CudaCard *card = card_of(context);
    const CudaTurn turn(card->lock);
    KeptPlan *kept = static_cast<KeptPlan *>(calloc(1, sizeof *kept));
    int32_t *number = static_cast<int32_t *>(calloc(2 * (2 * (size_t)plan->features + 1), sizeof *number));
    Draft draft = {};
    bool good = kept && number && !card->failed;
    if (good) {
        int32_t *lane = number + 2 * (size_t)plan->features + 1;
        kept->on.features = plan->features;
        kept->on.symmetric = plan->symmetric;
        kept->on.bias = plan->bias;
        kept->on.lanes = number_lanes(number, lane, plan);
        kept->threads = threads_for(kept->on.lanes);
        good = kept->threads > 0;
        if (good)
            lay_plan(&draft, &kept->on, plan, number, lane, kept->threads);
        draft.data = good ? static_cast<char *>(calloc(draft.used + 1, 1)) : nullptr;
        draft.used = 0;
        good = draft.data != nullptr;
        if (good)
            lay_plan(&draft, &kept->on, plan, number, lane, kept->threads);
    }
    good = good && upload_plan(card, kept, &draft) && plan_is_ready(card, &kept->on);
    free(number);
    free(draft.data);
    if (good)
        return kept;
    drop_plan(context, kept);
    return nullptr;
}

void cuda_plan_ops(TreeOps *ops)
{
    ops->keep_plan = keep_plan;
    ops->drop_plan = drop_plan;
}
