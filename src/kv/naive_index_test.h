// What kv/index.h promises, said with maps: the model that the index is compared with. And random events for both.
#pragma once
#include <algorithm>
#include <map>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "kv/index.h"
#include "kv/matcher.h"

namespace weir::kv {

// One rank; ranks know nothing of each other. A node is a path of local hashes.
class NaiveRank {
public:
    using Node = uint64_t;
    static Node below(Node parent, uint64_t local) { return mix64(parent * 3 + 1) ^ mix64(local + 77); }   // 64 bits: no collisions in a test

    struct Content { std::unordered_map<uint64_t, Node> node_of; std::unordered_map<Node, uint64_t> name_of; };
    Content tier[tiers], other[tiers];          // other: what lookups see while rebuilding
    bool rebuilding = false;
    struct Parked { uint64_t parent, number; Tier tier; std::vector<Block> blocks; };
    std::vector<Parked> parked;
    std::map<std::pair<uint64_t, Tier>, uint64_t> taken_back;
    uint64_t number = 0;

    bool find(uint64_t name, Node& node) const {
        for (int t = 0; t < 4; ++t) {
            const auto it = tier[t].node_of.find(name);
            if (it != tier[t].node_of.end()) return node = it->second, true;
        }
        return false;
    }
    void stored(Tier t, const uint64_t* parent, const std::vector<Block>& blocks) {
        Node at = 0;
        if (parent && !find(*parent, at)) return park(t, *parent, blocks);
        apply(t, at, blocks);
        if (parked.empty()) return;
        std::vector<uint64_t> names;
        for (const Block& b : blocks) {
            taken_back.erase({b.name, t});
            names.push_back(b.name);
        }
        for (size_t n = 0; n < names.size(); ++n)
            for (size_t i = 0; i < parked.size();) {
                if (parked[i].parent != names[n] || !find(names[n], at)) {
                    ++i;
                    continue;
                }
                const Parked p = parked[i];
                parked.erase(parked.begin() + static_cast<ptrdiff_t>(i));
                apply(p.tier, at, p.blocks);
                for (const Block& b : p.blocks) {
                    const auto taken = taken_back.find({b.name, p.tier});
                    if (taken != taken_back.end() && taken->second > p.number) drop(tier[static_cast<int>(p.tier)], b.name);
                    else names.push_back(b.name);
                }
            }
        if (parked.empty()) unpark_all();
    }
    void removed(Tier t, const std::vector<uint64_t>& names) {
        for (uint64_t name : names)
            if (!drop(tier[static_cast<int>(t)], name) && !parked.empty()) taken_back[{name, t}] = ++number;
    }
    void cleared() {
        unpark_all();
        for (int t = 0; t < int{tiers}; ++t) cleared(static_cast<Tier>(t));
    }
    void cleared(Tier t) { tier[static_cast<int>(t)] = other[static_cast<int>(t)] = {}; }
    void rebuild_begin() {
        rebuild_abort();
        unpark_all();
        rebuilding = true;
        for (int t = 0; t < 4; ++t) other[t] = std::exchange(tier[t], {});
    }
    void rebuild_commit() {
        rebuilding = false;
        for (auto& o : other) o = {};
    }
    void rebuild_abort() {
        if (!std::exchange(rebuilding, false)) return;
        unpark_all();
        for (int t = 0; t < 4; ++t) tier[t] = std::exchange(other[t], {});
    }
    RankOverlap match(Rank rank, std::span<const uint64_t> local) const {
        RankOverlap o{rank, 0, 0, 0, 0, 0};
        uint32_t* const count[] = {&o.device, &o.host, &o.disk, &o.external};
        Node at = 0;
        size_t i = 0;
        for (int t = 0; t < 4; ++t) {
            const Content& c = rebuilding ? other[t] : tier[t];
            for (; i < local.size() && c.name_of.contains(below(at, local[i])); ++i) at = below(at, local[i]), ++*count[t];
        }
        return o;
    }

private:
    void unpark_all() {
        parked.clear();
        taken_back.clear();
    }
    void park(Tier t, uint64_t parent, const std::vector<Block>& blocks) {
        for (const Block& b : blocks) drop(tier[static_cast<int>(t)], b.name);
        if (parked.size() == parked_events_max) parked.erase(parked.begin());
        parked.push_back({parent, ++number, t, blocks});
    }
    void apply(Tier t, Node at, const std::vector<Block>& blocks) {
        Content& c = tier[static_cast<int>(t)];
        for (const Block& b : blocks) {
            at = below(at, b.local);
            const auto had = c.name_of.find(at);
            if (had != c.name_of.end()) {
                if (had->second == b.name) continue;
                c.node_of.erase(had->second);
                c.name_of.erase(had);
            }
            drop(c, b.name);
            c.node_of[b.name] = at;
            c.name_of[at] = b.name;
        }
    }
    static bool drop(Content& c, uint64_t name) {
        const auto it = c.node_of.find(name);
        if (it == c.node_of.end()) return false;
        c.name_of.erase(it->second);
        c.node_of.erase(it);
        return true;
    }
};

// Random events for some ranks, to a KvIndex and to the model. `Chance`: below(n) in [0, n).
template <class Chance>
class RankScript {
public:
    enum Names { common, own, counted };        // chained hashes all ranks share; its own; small numbers used again and again
    RankScript(KvIndex& index, Rank first, uint32_t ranks, uint32_t alphabet, bool reuse_names = true)
        : index_(index), first_(first), model(ranks), seqs_(ranks), alphabet_(alphabet), reuse_names_(reuse_names) {}
    std::vector<NaiveRank>& models() { return model; }
    uint64_t operations() const { return operations_; }        // blocks stored, names removed, and one for anything else

    void step(Chance& c) {
        ++operations_;
        const auto r = static_cast<uint32_t>(c.below(model.size()));
        switch (c.below(100)) {
            case 0: return clear(c, r);
            case 1: return rebuild(c, r);
            case 2: return out_of_order(c, r);
            default: return c.below(100) < 55 ? store(c, r) : remove(c, r);
        }
    }
    // A query that often follows what some rank holds.
    std::vector<uint64_t> query(Chance& c) const {
        std::vector<uint64_t> q;
        const auto& s = seqs_[c.below(seqs_.size())];
        if (!s.empty()) {
            const auto& path = s[c.below(s.size())].path;
            q.assign(path.begin(), path.begin() + static_cast<ptrdiff_t>(c.below(path.size() + 1)));
        }
        for (uint64_t n = c.below(6); n > 0; --n) q.push_back(c.below(alphabet_));
        return q;
    }

private:
    struct Seq { std::vector<uint64_t> path, names; Tier tier; };
    Tier any_tier(Chance& c) const { return c.below(4) == 0 ? static_cast<Tier>(c.below(4)) : Tier::device; }
    // The name of one block more behind those of `seq`.
    void append(Chance& c, uint32_t r, Seq& seq, uint64_t local) const {
        const uint64_t before = !seq.names.empty() ? seq.names.back() : names_of(r) == common ? 5 : 1000 + first_ + r;
        seq.path.push_back(local);
        seq.names.push_back(names_of(r) == counted ? c.below(60) : mix64(before * 31 + local));
    }
    Names names_of(uint32_t r) const { return static_cast<Names>((first_ + r) % 5 == 4 && reuse_names_ ? counted : (first_ + r) % 5 == 3 ? own : common); }

    void store(Chance& c, uint32_t r) {
        auto& seqs = seqs_[r];
        Seq seq;
        size_t keep = 0;
        if (!seqs.empty() && c.below(4)) {                     // go on, or branch off, or say it again
            const Seq& from = seqs[c.below(seqs.size())];
            keep = c.below(3) ? from.path.size() : c.below(from.path.size() + 1);
            seq.path.assign(from.path.begin(), from.path.begin() + static_cast<ptrdiff_t>(keep));
            seq.names.assign(from.names.begin(), from.names.begin() + static_cast<ptrdiff_t>(keep));
        }
        seq.tier = any_tier(c);
        std::vector<Block> blocks;
        for (uint64_t n = 1 + (c.below(3) ? c.below(3) : c.below(40)); n > 0; --n) {
            append(c, r, seq, c.below(alphabet_));
            blocks.push_back({seq.names.back(), seq.path.back()});
        }
        const uint64_t parent = keep ? seq.names[keep - 1] : 0;
        operations_ += blocks.size() - 1;
        index_.stored(first_ + r, seq.tier, keep ? &parent : nullptr, blocks);
        model[r].stored(seq.tier, keep ? &parent : nullptr, blocks);
        remember(c, r, std::move(seq));
    }
    void remember(Chance& c, uint32_t r, Seq seq) {
        auto& seqs = seqs_[r];
        if (seqs.size() < 24) seqs.push_back(std::move(seq));
        else seqs[c.below(seqs.size())] = std::move(seq);
        if (seqs.back().path.size() > 200) seqs.pop_back();
    }
    void remove(Chance& c, uint32_t r) {
        auto& seqs = seqs_[r];
        std::vector<uint64_t> names;
        Tier tier = any_tier(c);
        if (!seqs.empty() && c.below(8)) {
            const Seq& s = seqs[c.below(seqs.size())];
            tier = s.tier;
            const bool tail = c.below(2);
            for (uint64_t n = 1 + c.below(c.below(4) ? 4 : 60), i = s.names.size(); n > 0 && i > 0; --n)
                names.push_back(tail ? s.names[--i] : s.names[c.below(s.names.size())]);
        } else {
            names.push_back(c.below(100));
        }
        operations_ += names.size() - 1;
        index_.removed(first_ + r, tier, names);
        model[r].removed(tier, names);
    }
    void out_of_order(Chance& c, uint32_t r) {                 // the end of a sequence before its middle
        Seq seq;
        std::vector<Block> blocks;
        for (uint64_t n = 4 + c.below(12); n > 0; --n) {
            append(c, r, seq, c.below(alphabet_));
            blocks.push_back({seq.names.back(), seq.path.back()});
        }
        seq.tier = any_tier(c);
        const size_t a = 1 + c.below(blocks.size() - 2), b = a + c.below(blocks.size() - a);
        const auto send = [&](size_t from, size_t to) {
            if (from >= to) return;
            const std::vector<Block> part(blocks.begin() + static_cast<ptrdiff_t>(from), blocks.begin() + static_cast<ptrdiff_t>(to));
            const uint64_t parent = from ? blocks[from - 1].name : 0;
            index_.stored(first_ + r, seq.tier, from ? &parent : nullptr, part);
            model[r].stored(seq.tier, from ? &parent : nullptr, part);
        };
        send(b, blocks.size());
        if (c.below(2)) {
            const std::vector<uint64_t> gone{blocks[b + c.below(blocks.size() - b)].name};
            index_.removed(first_ + r, seq.tier, gone);
            model[r].removed(seq.tier, gone);
        }
        send(a, b);
        if (c.below(3)) send(0, a);
        remember(c, r, std::move(seq));
    }
    void clear(Chance& c, uint32_t r) {
        if (c.below(4)) return store(c, r);
        if (c.below(2)) {
            const Tier t = any_tier(c);
            index_.cleared(first_ + r, t);
            model[r].cleared(t);
        } else if (c.below(2)) {
            index_.cleared(first_ + r);
            model[r].cleared();
        } else {
            index_.remove_ranks(first_ + r, 1);
            model[r].rebuild_abort();
            model[r].cleared();
        }
    }
    void rebuild(Chance& c, uint32_t r) {
        switch (c.below(4)) {
            case 0: index_.rebuild_begin(first_ + r); return model[r].rebuild_begin();
            case 1: index_.rebuild_abort(first_ + r); return model[r].rebuild_abort();
            default:
                index_.rebuild_commit(first_ + r);
                if (model[r].rebuilding) model[r].rebuild_commit();
        }
    }

    KvIndex& index_;
    Rank first_;
    std::vector<NaiveRank> model;
    std::vector<std::vector<Seq>> seqs_;
    uint32_t alphabet_;
    bool reuse_names_;
    uint64_t operations_ = 0;
};

inline std::string text(const RankOverlap& o) {
    return std::to_string(o.rank) + ":" + std::to_string(o.device) + "+" + std::to_string(o.host) + "+" + std::to_string(o.disk) + "+" +
           std::to_string(o.external) + "/" + std::to_string(o.predicted);
}

// "" when the index and the models of ranks [first, first + n) agree about `query`.
inline std::string compare(Matcher& matcher, const std::vector<NaiveRank>& models, Rank first, std::span<const uint64_t> query) {
    std::string wrong;
    const std::span<const RankOverlap> got = matcher.match(query);
    for (size_t i = 0; i < models.size(); ++i) {
        const Rank rank = first + static_cast<Rank>(i);
        const auto of_rank = [rank](const RankOverlap& o) { return o.rank == rank; };
        const auto have = std::find_if(got.begin(), got.end(), of_rank);
        const RankOverlap want = models[i].match(rank, query), none{rank, 0, 0, 0, 0, 0};
        if (!(want == (have == got.end() ? none : *have))) wrong += " want " + text(want) + " have " + (have == got.end() ? "nothing" : text(*have));
        if (have != got.end() && std::find_if(have + 1, got.end(), of_rank) != got.end()) wrong += " twice " + text(*have);
    }
    return wrong;
}

}  // namespace weir::kv
