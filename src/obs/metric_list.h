// Every metric of weir, once: the row from which come its id, its text on /metrics, docs/metrics.md and the golden pages.
// A series appears on the page when the thing it counts first happens, or is first set.
#pragma once

// M(id, kind, unit, buckets, labels, names, help)
//   kind     counter | gauge (added and subtracted) | histogram | level (a gauge that is set) | reading (a counter that is set)
//   unit     one | ns: kept in nanoseconds, printed in seconds
//   buckets  none, or a row of bucket_list (metric_buckets.cc)
//   labels   comma separated, in the order in which Metrics::series() takes their values
//   names    space separated; "~" stands for --metrics-prefix and "_"
// clang-format off
#define WEIR_METRICS(M) \
    /* ---- names of Dynamo's frontend, and the four of its component summary ---- */ \
    M(requests, counter, one, none, "endpoint,error_type,model,request_type,status", "~requests_total ~request_total", \
      "Inference requests that have ended, by how they ended") \
    M(requests_started, counter, one, none, "endpoint,model,request_type", "~requests_started_total", \
      "Inference requests taken up") \
    M(requests_inflight, gauge, one, none, "model", "~inflight_requests ~active_requests", \
      "Inference requests taken up and not yet ended") \
    M(requests_queued, gauge, one, none, "model", "~queued_requests", \
      "Inference requests whose answer has not begun") \
    M(disconnected_clients, gauge, one, none, "", "~disconnected_clients", \
      "Clients that left before their answer ended; only grows") \
    M(request_seconds, histogram, ns, request_s, "model", "~request_duration_seconds", \
      "Time from taking up an inference request to its end") \
    M(ttft_seconds, histogram, ns, ttft_s, "model", "~time_to_first_token_seconds", \
      "Time from taking up a streamed inference request to the first part of its answer") \
    M(itl_seconds, histogram, ns, itl_s, "model", "~inter_token_latency_seconds", \
      "Time between tokens of a streamed answer; events of several tokens share their gap") \
    M(input_tokens, histogram, one, input_tokens, "model", "~input_sequence_tokens", \
      "Prompt length in tokens, as the engine counted it") \
    M(output_tokens, histogram, one, output_tokens, "model", "~output_sequence_tokens", \
      "Answer length in tokens") \
    M(cached_tokens, histogram, one, input_tokens, "model", "~cached_tokens", \
      "Prompt tokens that the engine took from its prefix cache, of answers that report any") \
    M(output_tokens_total, counter, one, none, "model", "~output_tokens_total", \
      "Tokens generated, added when an answer ends") \
    M(tokens, counter, one, none, "model,token_type", "~tokens_total", \
      "Tokens processed: input and output") \
    M(model_cancellations, counter, one, none, "endpoint,model,request_type", "~model_cancellation_total", \
      "Inference requests that ended because their client left") \
    M(model_rejections, counter, one, none, "endpoint,model", "~model_rejection_total", \
      "Inference requests turned away because a queue, budget or rate was exhausted") \
    M(model_ready, level, one, none, "model", "~model_ready", \
      "1 when a worker can serve the model now") \
    M(core_stalls, counter, one, none, "", "~event_loop_stall_total weir_core_stalls_total", \
      "Turns of a core's loop that took longer than 5 ms") \
    /* ---- names of SMG ---- */ \
    M(http_requests, counter, one, none, "method,path", "smg_http_requests_total", \
      "HTTP requests, by method and route") \
    M(http_responses, counter, one, none, "path,status_code,error_code", "smg_http_responses_total", \
      "HTTP answers, by route, status and the error code in their body") \
    M(http_seconds, histogram, ns, duration_s, "method,path", "smg_http_request_duration_seconds", \
      "Time from the first byte of a request to the end of its answer") \
    M(http_connections, level, one, none, "", "smg_http_connections_active", \
      "Client connections open") \
    M(router_requests, counter, one, none, "router_type,backend_type,connection_mode,model,endpoint,streaming", "smg_router_requests_total", \
      "Inference requests given to routing") \
    M(router_seconds, histogram, ns, duration_s, "router_type,backend_type,connection_mode,model,endpoint", "smg_router_request_duration_seconds", \
      "Time from taking up an inference request to its end, for those that succeeded") \
    M(router_errors, counter, one, none, "router_type,backend_type,connection_mode,model,endpoint,error_type", "smg_router_request_errors_total", \
      "Inference requests that failed, by what failed") \
    M(router_ttft_seconds, histogram, ns, duration_s, "router_type,backend_type,model,endpoint", "smg_router_ttft_seconds", \
      "Time to the first part of a streamed answer") \
    M(router_tpot_seconds, histogram, ns, duration_s, "router_type,backend_type,model,endpoint", "smg_router_tpot_seconds", \
      "Mean time per token of a streamed answer after its first") \
    M(router_generation_seconds, histogram, ns, duration_s, "router_type,backend_type,model,endpoint", "smg_router_generation_duration_seconds", \
      "Time from taking up a streamed request to the end of its answer") \
    M(router_tokens, counter, one, none, "router_type,backend_type,model,endpoint,token_type", "smg_router_tokens_total", \
      "Tokens processed: input and output") \
    M(upstream_responses, counter, one, none, "router_type,status_code,error_code", "smg_router_upstream_responses_total", \
      "Answers of workers, each attempt counted; the error code is empty: bodies are not read for it") \
    M(worker_pool_size, level, one, none, "worker_type,connection_mode,model", "smg_worker_pool_size", \
      "Workers known, by model") \
    M(worker_active, level, one, none, "worker", "smg_worker_requests_active", \
      "Requests at a worker now, over all cores") \
    M(worker_health, level, one, none, "worker", "smg_worker_health", \
      "1 when the worker may be picked, 0 when it is out") \
    M(worker_requests, counter, one, none, "model,worker", "smg_worker_requests_total", \
      "Requests sent to a worker, each attempt counted") \
    M(worker_selections, counter, one, none, "worker_type,connection_mode,model,policy", "smg_worker_selection_total", \
      "Picks, by policy") \
    M(worker_errors, counter, one, none, "worker_type,connection_mode,error_type", "smg_worker_errors_total", \
      "Attempts that failed at a worker") \
    M(worker_retries, counter, one, none, "worker_type,endpoint", "smg_worker_retries_total", \
      "Attempts after the first") \
    M(worker_retries_exhausted, counter, one, none, "worker_type,endpoint", "smg_worker_retries_exhausted_total", \
      "Requests that failed after the last attempt they were allowed") \
    M(retry_backoff_seconds, histogram, ns, backoff_s, "attempt", "smg_worker_retry_backoff_seconds", \
      "Wait before an attempt after the first") \
    M(log_dropped, level, one, none, "sink", "smg_log_dropped_lines", \
      "Log lines dropped because the writer fell behind; only grows") \
    M(text_cache_lookups, reading, one, none, "layer,result", "smg_tokenizer_cache_lookups_total", \
      "Texts looked up in the tokenizer caches; l0 knows whole texts, l1 beginnings of texts") \
    M(text_cache_bytes, reading, one, none, "layer", "smg_tokenizer_cache_reused_bytes_total", \
      "Bytes of text whose tokens came out of a cache") \
    M(text_cache_evictions, reading, one, none, "layer", "smg_tokenizer_cache_evictions_total", \
      "Entries of the tokenizer caches that made room") \
    M(cache_aware_branch, counter, one, none, "branch", "smg_cache_aware_policy_branch_total", \
      "Picks of the cache_aware policy, by why") \
    M(cache_aware_match, histogram, ns, share, "", "smg_cache_aware_match_ratio", \
      "Share of the prompt known at the worker that cache_aware picked") \
    M(manual_branch, counter, one, none, "branch", "smg_manual_policy_branch_total", \
      "Picks of the manual policy, by why") \
    M(hashing_branch, counter, one, none, "branch", "smg_consistent_hashing_policy_branch_total", \
      "Picks of the consistent_hashing policy, by why") \
    M(prefix_hash_branch, counter, one, none, "branch", "smg_prefix_hash_policy_branch_total", \
      "Picks of the prefix_hash policy, by why") \
    M(kv_memberships, level, one, none, "model", "smg_kv_index_memberships", \
      "Blocks in the KV index, each counted for every rank that holds it; * stands for all models") \
    M(kv_entries, level, one, none, "model", "smg_kv_index_entries", \
      "Blocks in the KV index; * stands for all models") \
    M(cache_tree_chars, level, one, none, "model", "smg_cache_tree_chars", \
      "Characters remembered for cache_aware; * stands for all models") \
    M(load_polls, counter, one, none, "worker,mode", "smg_engine_load_polls_total", \
      "Times a worker was asked for its load") \
    M(engine_running, level, one, none, "dp_rank,model,worker", "smg_engine_running_requests", \
      "Requests running at a worker, as it says") \
    M(engine_waiting, level, one, none, "dp_rank,model,worker", "smg_engine_waiting_requests", \
      "Requests waiting at a worker, as it says") \
    M(engine_usage, level, one, none, "dp_rank,model,worker", "smg_engine_token_usage", \
      "Share of a worker's KV cache in use, as it says") \
    M(engine_tok_s, level, one, none, "dp_rank,model,worker", "smg_engine_gen_throughput", \
      "Tokens a worker generates per second, as it says") \
    M(engine_hit_rate, level, one, none, "dp_rank,model,worker", "smg_engine_cache_hit_rate", \
      "Share of prompt tokens a worker found in its prefix cache, as it says") \
    M(overload_shed, reading, one, none, "stage", "smg_worker_overload_shed_total", \
      "Requests refused because every worker is overloaded (--worker-overload-shed)") \
    M(overload_fallback, reading, one, none, "stage", "smg_worker_overload_fallback_total", \
      "Requests that went to the worker with the fewest because every worker is overloaded") \
    M(workers_overloaded, level, one, none, "", "smg_workers_overloaded", \
      "Workers beyond the limits of overload protection now") \
    /* ---- names of Dynamo's router ---- */ \
    M(kv_hit_rate, histogram, ns, share20, "", "dynamo_component_router_kv_hit_rate", \
      "Share of a prompt's tokens that the chosen worker is believed to hold, where tokens are known") \
    M(kv_selected_cached, counter, one, none, "model", "dynamo_component_router_kv_selected_cached_prefix_tokens_total", \
      "Prompt tokens that chosen workers were believed to hold") \
    M(kv_non_max, counter, one, none, "worker_type", "dynamo_component_router_non_max_overlap_selections_total", \
      "Picks of a worker though another one that might serve held more of the prompt") \
    M(worker_decode_blocks, level, one, none, "worker_id,dp_rank,worker_type", "~worker_active_decode_blocks", \
      "Blocks of requests under way at a rank, by the gateway's account") \
    M(worker_prefill_tokens, level, one, none, "worker_id,dp_rank,worker_type", "~worker_active_prefill_tokens", \
      "Prompt tokens still to be computed at a rank, by the gateway's account") \
    /* ---- weir's own ---- */ \
    M(router_decisions, counter, one, none, "policy,reason", "weir_router_decisions_total", \
      "Picks, by policy and by the word its decision log has for why") \
    M(router_rejects, counter, one, none, "reason", "weir_router_rejected_ranks_total", \
      "Ranks left out before the policy had a say, by why") \
    M(router_place_seconds, histogram, ns, place_s, "", "weir_router_place_seconds", \
      "Time of choosing a worker: overlap, filters and policy") \
    M(load_failures, counter, one, none, "worker", "weir_engine_load_failures_total", \
      "Times a worker did not tell its load") \
    M(kv_index_bytes, level, one, none, "", "weir_kv_index_bytes", \
      "Bytes that the KV index holds") \
    M(kv_index_bytes_max, level, one, none, "", "weir_kv_index_bytes_max", \
      "Bytes that the KV index may hold (--router-index-max-bytes)") \
    M(kv_index_blocks, reading, one, none, "what", "weir_kv_index_blocks_total", \
      "Blocks that went through the KV index: stored, removed, and what became of others") \
    M(predicted_blocks, level, one, none, "", "weir_router_predicted_blocks", \
      "Blocks believed to be held because requests were sent there") \
    M(predictions, reading, one, none, "what", "weir_router_predictions_total", \
      "Predicted blocks that expired or made room, and predictions dropped because their thread was behind") \
    M(router_queue_requests, level, one, none, "model,policy_class,worker_type", "~router_queue_pending_requests", \
      "Requests that wait because every worker is full (--router-queue-threshold)") \
    M(router_queue_tokens, level, one, none, "model,policy_class,worker_type", "~router_queue_pending_isl_tokens", \
      "Prompt tokens of requests that wait because every worker is full") \
    M(router_queue_cached, level, one, none, "model,policy_class,worker_type", "~router_queue_pending_cached_tokens", \
      "... of these, believed to be held by the worker that holds most of them") \
    M(router_received, reading, one, none, "model,policy_class,worker_type", "~router_admission_received_total", \
      "Requests that came to the router, where requests may have to wait for room") \
    M(router_backpressure, reading, one, none, "model,policy_class,reason,worker_type", "~router_queue_backpressure_total", \
      "Requests turned away because as many waited as may (--router-policy-config)") \
    M(active_bytes, level, one, none, "", "weir_router_active_bytes", \
      "Bytes that tracking blocks of requests under way takes") \
    M(affinity_sessions, level, one, none, "", "weir_router_sessions", \
      "Sessions whose worker is remembered (--router-session-affinity-ttl-secs)") \
    M(affinity_evicted, reading, one, none, "", "weir_router_sessions_evicted_total", \
      "Sessions forgotten before their time, to make room") \
    M(text_cache_tokens, reading, one, none, "source", "weir_tokenizer_tokens_total", \
      "Tokens of texts given to the gateway's tokenizers: out of a cache, or encoded") \
    M(overhead_seconds, histogram, ns, overhead_s, "plan", "weir_gateway_overhead_seconds", \
      "Time of a request spent inside the gateway: its duration less the waits for the client and the worker") \
    M(core_tick_seconds, histogram, ns, tick_s, "core", "weir_core_tick_seconds", \
      "Time of one turn of a core's loop, its wait left out") \
    M(core_streams, level, one, none, "core", "weir_core_streams", \
      "Requests under way on a core") \
    M(upstream_connects, counter, one, none, "result", "weir_upstream_connects_total", \
      "Connections opened to workers, by result") \
    M(upstream_connections, level, one, none, "state", "weir_upstream_connections", \
      "HTTP/1 connections to workers: busy and idle") \
    M(exceptions, counter, one, none, "", "weir_exceptions_total", \
      "Exceptions caught at the edge of a request and answered 500") \
    M(load_drift, level, one, none, "", "weir_load_drift", \
      "Requests booked on workers less requests under way; 0 when idle, else a defect") \
    M(budget_used, level, one, none, "budget", "weir_budget_used_bytes", \
      "Bytes taken from a memory budget") \
    M(budget_limit, level, one, none, "budget", "weir_budget_limit_bytes", \
      "Size of a memory budget") \
    M(budget_refused, reading, one, none, "budget", "weir_budget_refused_total", \
      "Times a memory budget was exhausted") \
    M(series_capped, counter, one, none, "metric", "weir_metric_series_capped_total", \
      "Label sets that were folded into the row other because a metric had too many") \
    M(build_info, level, one, none, "version,revision,compiler", "weir_build_info", \
      "Always 1; the labels say what runs") \
    M(process_cpu, reading, one, none, "", "process_cpu_seconds_total", \
      "Processor time of the process, user and system") \
    M(process_fds, level, one, none, "", "process_open_fds", \
      "File descriptors open") \
    M(process_fds_max, level, one, none, "", "process_max_fds", \
      "File descriptors allowed") \
    M(process_rss, level, one, none, "", "process_resident_memory_bytes", \
      "Resident memory") \
    M(process_vm, level, one, none, "", "process_virtual_memory_bytes", \
      "Virtual memory") \
    M(process_start, level, one, none, "", "process_start_time_seconds", \
      "Start of the process, seconds since 1970") \
    M(process_threads, level, one, none, "", "process_threads", \
      "Threads of the process")
// clang-format on
