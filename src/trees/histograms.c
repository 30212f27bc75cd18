/* Histograms of a level over all ranks: built for the lighter children only, summed by feature over ranks (each rank
 * gets its features), the heavier children by subtraction. Messages depend on bins and nodes, never on rows. Nodes are
 * built in groups, the sums of one on their way while the next is built: a few a level, more where the level's
 * histograms pass their part of the memory, or a message; where they cannot be kept for the level below, that one is
 * built without subtraction.
 *
 * Where a child needs a least number of rows, a node has two slots: its sums, and a histogram of its rows, which is a
 * second pass over them (device/backend.h, TreeScores). */
#include "trees/trees_priv.h"

/* Groups that a level is built in: what is not yet summed when the last one is built is that one alone. But a group's
 * messages cost their latency, log2(ranks) x some us, and are hidden by the work of so many rows of a thread. */
enum { GROUPS = 4, GROUP_ROWS = 2048 };

int trees_slots(const TreesTraining *t)
{
    return t->rows_least > 0 ? 2 : 1;
}

/* The cells of n nodes of a rank's features, and of all. */
static size_t cells_of(const TreesTraining *t, int rank, int nodes)
{
    const int32_t *at = t->share.features.at;
    return 2 * (size_t)trees_slots(t) * (size_t)nodes *
           (size_t)(at[t->share.first[rank + 1]] - at[t->share.first[rank]]);
}

static size_t cells_of_all(const TreesTraining *t, int nodes)
{
    return 2 * (size_t)trees_slots(t) * (size_t)nodes * (size_t)t->share.features.at[t->share.features.n];
}

/* The cells of n nodes on the rank that has most of them: all ranks take memory for so many, at the same times. */
static size_t cells_of_most(const TreesTraining *t, int nodes)
{
    size_t most = 0;
    for (int r = 0; r < t->share.ranks; r++)
        most = cells_of(t, r, nodes) > most ? cells_of(t, r, nodes) : most;
    return most;
}

/* Level by level the host hardly looks at histograms: a device with memory of its own keeps them, where it can sum them
 * too. */
static bool can_be_kept(const TreesTraining *t)
{
    return t->options.growth != TREES_LEAFWISE && !t->memory.in_file;
}

static bool kept_by_device(const TreesTraining *t)
{
    return (t->share.ranks == 1 || t->joined) && can_be_kept(t);
}

void trees_join_devices(TreesTraining *t, const Comm *comm)
{
    DeviceInvitation invitation;
    if (t->share.ranks == 1 || comm_any(comm, !can_be_kept(t) || !t->ops->invite(t->context, NULL)))
        return;
    bool invited = t->share.rank == 0 && t->ops->invite(t->context, &invitation);
    if (!comm_any(comm, invited))
        return;
    comm_share(comm, &invitation, sizeof invitation, 0);
    t->joined = !comm_any(comm, !t->ops->join(t->context, &invitation, t->share.rank, t->share.ranks));
    if (!t->joined)
        t->ops->leave(t->context);
}

static dp_status grow_room(const TreesTraining *t, TreesCells *cells, size_t n)
{
    if (n > cells->room) {
        trees_cells_free(t, cells);
        DP_TRY(dp_new(&cells->cell, n));
        cells->room = n;
        if (kept_by_device(t))
            t->ops->hold(t->context, cells->cell, n * sizeof *cells->cell);
    }
    return DP_OK;
}

void trees_cells_free(const TreesTraining *t, TreesCells *cells)
{
    if (cells->cell)
        t->ops->release(t->context, cells->cell);
    dp_free(&cells->cell);
    cells->room = 0;
}

static dp_status grow_rooms(TreesTraining *t, size_t all, size_t built, int slots, size_t next)
{
    for (int i = 0; i < slots; i++) {
        DP_TRY(grow_room(t, &t->local[i], all));
        if (t->share.ranks > 1)
            DP_TRY(grow_room(t, &t->built[i], built));
    }
    return grow_room(t, &t->next, next);
}

dp_status trees_histograms_room(TreesTraining *t, int group, int groups, int next, const Comm *comm)
{
    size_t all = cells_of_all(t, group), built = cells_of_most(t, group), after = cells_of_most(t, next);
    int slots = groups > 1 ? 2 : 1;
    if (all <= t->local[slots - 1].room && (t->share.ranks == 1 || built <= t->built[slots - 1].room) &&
        after <= t->next.room)
        return DP_OK; /* on every rank */
    return comm_agree(comm, grow_rooms(t, all, built, slots, after));
}

void trees_note_kept(TreesTraining *t, int nodes)
{
    int64_t cells = (int64_t)cells_of_most(t, nodes);
    t->cells_kept = cells > t->cells_kept ? cells : t->cells_kept;
}

int trees_histograms_at_once(const TreesTraining *t, int nodes, int kept)
{
    int64_t all = (int64_t)cells_of_all(t, 1), most = (int64_t)cells_of_most(t, 1);
    int64_t stay = kept * most > t->cells_kept ? kept * most : t->cells_kept;
    int64_t one = all + (t->share.ranks > 1 ? most : 0);
    int64_t fit = (t->cells_most - stay) / (2 * one); /* a group is built while another is summed */
    int64_t n = (nodes + t->groups - 1) / t->groups;
    if (n > INT32_MAX / all) /* a message moves at most so many numbers */
        n = INT32_MAX / all;
    return fit < 0 ? 0 : fit < n ? (int)fit : (int)n;
}

int trees_histograms_groups(double rows)
{
    rows /= 4; /* the lighter children of a level hold about so many */
    return rows < 2 * GROUP_ROWS ? 1 : rows < GROUPS * GROUP_ROWS ? 2 : GROUPS;
}

/* Features in consecutive shares of about equal bins, one or more to each of the first ranks. */
void trees_share_features(TreesShare *share)
{
    int64_t total = share->features.at[share->features.n];
    int64_t owners = share->ranks < share->features.n ? share->ranks : share->features.n;
    int j = 0;
    for (int r = 0; r < share->ranks; r++) {
        share->first[r] = j;
        while (j < share->features.n && share->features.at[j + 1] * owners <= total * (r + 1))
            j++;
    }
    share->first[share->ranks] = share->features.n;
}

/* The segments of these nodes in a stretch, without empty ones, each for the first slot of its node. */
static int segments_of(TreesTraining *t, const TreeSegment *lists, const int32_t *which, int nodes,
                       const TreesStretch *stretch)
{
    int n = 0;
    for (int k = 0; k < nodes; k++)
        for (int s = stretch->first; s < stretch->end; s++) {
            t->segment[n] = lists[(int64_t)which[k] * t->shards + s];
            t->segment[n].node = k * trees_slots(t);
            n += t->segment[n].count > 0;
        }
    return n;
}

/* Local. Adds the rows of the segments of a job to their nodes' second slots. */
static void count_rows(TreesTraining *t, TreeHistogram job)
{
    for (int i = 0; i < job.segments; i++)
        t->segment[i].node++;
    job.pair = t->one;
    job.levels = 1;
    job.add = true;
    t->ops->histogram(t->context, &job);
}

/* What the calling thread does between pieces of its rows. */
static void move_on(const void *comm)
{
    comm_reduce_scatter_progress(comm);
}

/* Local. The rows of this rank, while the sums of the group before go on. */
static void build_local(TreesTraining *t, const TreeSegment *lists, const int32_t *which, int nodes, int64_t *out,
                        const Comm *comm)
{
    TreesStretch stretch = {0};
    TreeHistogram job = {.bins = &t->bins,
                         .features = &t->share.features,
                         .pair = t->pair,
                         .levels = (int)t->options.levels,
                         .index = t->index,
                         .segment = t->segment,
                         .nodes = nodes * trees_slots(t),
                         .out = out,
                         .meanwhile = t->summing && t->share.ranks > 1 && !t->joined ? move_on : NULL,
                         .with = comm};
    while (trees_next_stretch(t, &stretch)) {
        job.segments = segments_of(t, lists, which, nodes, &stretch);
        t->ops->histogram(t->context, &job);
        if (t->rows_least > 0)
            count_rows(t, job);
        job.add = true;
    }
}

/* Collective. Devices sum at once: their way is so fast that waiting costs less than more launches would. One that has
 * failed would be waited for for ever, so all are asked first; from then on the host sums what the others hold. */
static void begin_sums(TreesTraining *t, int nodes, const Comm *comm)
{
    int64_t *local = t->local[t->slot].cell, *built = t->built[t->slot].cell;
    for (int r = 0; r < t->share.ranks; r++)
        t->share.counts[r] = (int)cells_of(t, r, nodes);
    t->joined = t->joined && !comm_any(comm, !t->ops->invite(t->context, NULL));
    if (t->joined) {
        t->ops->sum_parts(t->context, &(DeviceParts){.all = local, .mine = built, .counts = t->share.counts});
        return;
    }
    t->ops->fetch(t->context, local, cells_of_all(t, nodes) * sizeof *local);
    comm_reduce_scatter_begin(comm, local, built, t->share.counts);
}

const int64_t *trees_histograms_build(TreesTraining *t, const TreeSegment *lists, const int32_t *which, int nodes,
                                      const Comm *comm)
{
    int slot = t->summing ? 1 - t->slot : 0;
    build_local(t, lists, which, nodes, t->local[slot].cell, comm);
    const int64_t *before = trees_histograms_finish(t, comm);
    t->summing = true;
    t->slot = slot;
    if (t->share.ranks > 1)
        begin_sums(t, nodes, comm);
    return before;
}

const int64_t *trees_histograms_finish(TreesTraining *t, const Comm *comm)
{
    if (!t->summing)
        return NULL;
    t->summing = false;
    if (t->share.ranks == 1)
        return t->local[t->slot].cell;
    int64_t *built = t->built[t->slot].cell;
    if (!t->joined) {
        comm_reduce_scatter_end(comm);
        t->ops->put(t->context, built, (size_t)t->share.counts[t->share.rank] * sizeof *built);
    }
    return built;
}

void trees_note_pair(TreesTraining *t, int pair, TreeSibling nodes)
{
    const int slots = trees_slots(t);
    for (int slot = 0; slot < slots; slot++)
        t->sibling[slots * pair + slot] = (TreeSibling){.parent = slots * nodes.parent + slot,
                                                        .built = slots * nodes.built + slot,
                                                        .smaller = slots * nodes.smaller + slot,
                                                        .larger = slots * nodes.larger + slot};
}

void trees_histograms_split(TreesTraining *t, int first, const TreeSiblings *pairs)
{
    const int slots = trees_slots(t);
    TreeSiblings job = *pairs;
    job.features = &t->share.features;
    job.first = t->share.first[t->share.rank];
    job.last = t->share.first[t->share.rank + 1];
    job.sibling = t->sibling + slots * first;
    job.n_parents *= slots;
    job.n_built *= slots;
    job.n_out *= slots;
    job.siblings *= slots;
    t->ops->siblings(t->context, &job);
}
