#include "fleet/load_monitor.h"

#include <algorithm>

namespace weir {
namespace {

constexpr const char* paths[] = {"/v1/loads?include=core,disagg,queues,memory", "/metrics", "/get_load"};
constexpr Str accept_lines = "accept: application/json, text/plain\r\n";

bool answered(const FailureBody& f) { return f.code == Code::engine_garbage || f.code == Code::engine_status; }
bool absent(const FailureBody& f) {              // and will not be there the next time
    return f.code == Code::engine_garbage || f.upstream_status == 404 || f.upstream_status == 405 || f.upstream_status == 501;
}

}  // namespace

// One of at_once.
struct LoadMonitor::Permit {
    explicit Permit(LoadMonitor& m) : monitor(m) { monitor.under_way_++; }
    ~Permit() {
        monitor.under_way_--;
        monitor.wake();
    }
    LoadMonitor& monitor;
};

struct LoadMonitor::Free {                       // co_await until somebody gave a permit back
    LoadMonitor& monitor;
    Waiter waiter;
    bool await_ready() const { return monitor.under_way_ < monitor.options_.at_once; }
    void await_suspend(std::coroutine_handle<> h) {
        waiter.frame = h;
        monitor.waiting_.push_back(waiter);
    }
    void await_resume() const {}
};

struct LoadMonitor::Alarm : Timer {
    Waiter* who = nullptr;
    Alarm(Core& core, uint64_t ms) {
        fire = [](Timer& t) {
            if (Waiter* w = static_cast<Alarm&>(t).who) Core::here().ready(*w);
        };
        core.arm(*this, ms);
    }
};

LoadMonitor::~LoadMonitor() { watches_.clear(); }

void LoadMonitor::wake() {
    if (under_way_ >= options_.at_once) return;
    if (Waiter* next = waiting_.pop_front()) core_.ready(*next);
}

void LoadMonitor::follow(const FleetViewRef& view) {
    std::erase_if(watches_, [&](const auto& w) {
        const FleetView::Entry* now = view->entry(w.first);
        return !now || now->spec.url != w.second->entry->spec.url;
    });
    for (const EntryRef& entry : view->entries()) {
        if (entry->spec.kind != EngineKind::openai_http) continue;
        auto& watch = watches_[entry->view.slot];
        if (watch) {
            watch->entry = entry;
            continue;
        }
        watch = std::make_unique<Watch>();
        watch->entry = entry;
        watch->task.spawn(this->watch(*watch));
    }
    wake();                                      // who was woken may have left
}

Task<void> LoadMonitor::watch(Watch& w) {
    for (;;) {
        while (under_way_ >= options_.at_once) {
            Free free{*this, {}};
            co_await free;
        }
        {
            Permit permit(*this);
            EntryRef entry = w.entry;
            Alarm alarm(core_, options_.poll_ms);
            std::optional<Result<RankLoads>> got = co_await race(poll(w.page, entry), alarm.who);
            if (!got) got.emplace(Failure(Code::deadline, "no answer in time"));
            if (entry->number == w.entry->number && entry->view.ranks == w.entry->view.ranks) report(*entry, *got);
        }
        co_await sleep_ms(options_.interval_ms);
    }
}

Task<Result<RankLoads>> LoadMonitor::poll(Page& page, EntryRef entry) {
    const Page first = page;
    Result<RankLoads> got = co_await read(first, entry);
    bool for_good = true;                        // the others will not come either
    for (Page other : {Page::loads, Page::metrics, Page::get_load}) {
        if (got || !answered(*got.error())) co_return got;
        if (other == first) continue;
        for_good = for_good && absent(*got.error());
        got = co_await read(other, entry);
        if (got && for_good) page = other;
    }
    if (!got) page = Page::loads;
    co_return got;
}

Task<Result<RankLoads>> LoadMonitor::read(Page page, EntryRef entry) {
    CO_TRY(std::string body, co_await get(paths[static_cast<size_t>(page)], entry));
    switch (page) {
    case Page::loads: co_return read_loads_page(body);
    case Page::metrics: co_return read_metrics_page(body);
    case Page::get_load: break;
    }
    co_return read_get_load_page(body);
}

Task<Result<std::string>> LoadMonitor::get(Str path, EntryRef entry) {
    std::unique_ptr<Upstream> up = pool_.take(entry->target);
    if (!up) {
        CO_TRY(up, co_await pool_.open(entry->target));
    }
    if (!up->send({"GET", path, accept_lines, {}})) co_return Failure(Code::reset_before_byte, "connection lost");
    ResponseHead head;
    CO_TRY_OK(co_await up->read_head(head));
    const int status = head.status;
    std::string body;
    for (bool end = false; !end;) {
        CO_TRY(Piece piece, co_await up->next());
        end = piece.end;
        if (body.size() + piece.bytes.size() > page_bytes_max) co_return Failure(Code::too_large, "the page is too long");
        body.append(piece.bytes);
    }
    if (status == 200) co_return body;
    Failure failure(Code::engine_status, "status " + std::to_string(status));
    failure->upstream_status = status;
    co_return failure;
}

void LoadMonitor::report(const FleetView::Entry& entry, const Result<RankLoads>& loads) {
    const uint32_t ranks = entry.view.ranks, block = std::max(entry.view.block, 1u);
    const Instant now = core_.now();
    if (loads && ranks == 1) cells_.report(entry.number, report_of(sum_of(*loads), block), now);
    for (uint32_t i = 0; !(loads && ranks == 1) && i < ranks; i++) {
        const RankLoad* said = nullptr;
        if (loads)
            for (const RankLoad& l : *loads)
                if (l.rank == entry.view.rank_first + i) said = &l;
        if (said) cells_.report(entry.number + i, report_of(*said, block), now);
        else cells_.forget(entry.number + i);
    }
    told_(entry, loads);
}

}  // namespace weir
