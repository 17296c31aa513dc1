-- 200 public designs of the user :owner, 20 runs each, 100 samples each: two series of 50.
BEGIN;
CREATE TEMPORARY TABLE source AS SELECT
  (SELECT id FROM users WHERE handle = :'owner') AS user_id,
  (SELECT canvas_state FROM templates ORDER BY created_at, id LIMIT 1) AS canvas,
  (SELECT id FROM workloads WHERE is_template ORDER BY created_at, id LIMIT 1) AS workload_id;
INSERT INTO designs (id, user_id, name, description, canvas_state, visibility, version, version_count, created_at, updated_at)
  SELECT gen_random_uuid(), user_id, 'Design ' || n, 'One of two hundred', canvas, 'public', 1, 1, now(), now() + n * interval '1 ms'
  FROM source, generate_series(1, 200) n;
INSERT INTO design_branches (id, design_id, name, head_number, created_at) SELECT id, id, 'main', 1, created_at FROM designs;
INSERT INTO design_versions (id, design_id, version_number, branch_id, canvas_state, author_id, created_at)
  SELECT gen_random_uuid(), id, 1, id, canvas_state, user_id, created_at FROM designs;
INSERT INTO simulation_runs (id, design_id, design_version_id, workload_id, user_id, status, engine, started_at, completed_at, created_at,
    throughput_qps, latency_p50_ms, latency_p95_ms, latency_p99_ms, total_io_pages, cache_hit_ratio, summary, event_count, event_bytes)
  SELECT gen_random_uuid(), v.design_id, v.id, s.workload_id, s.user_id, 'completed', 'client', t.at, t.at + interval '10 s', t.at,
    1000 + n, 1.5, 4.5, 9.5 + n / 10.0, 1000 * n, 0.9,
    jsonb_build_object('throughput_qps', 1000 + n, 'latency_p50_ms', 1.5, 'latency_p95_ms', 4.5, 'latency_p99_ms', 9.5 + n / 10.0), 0, 0
  FROM source s, design_versions v, generate_series(1, :runs) n, LATERAL (SELECT now() - n * interval '1 min' AS at) t;
INSERT INTO run_metrics (run_id, series, time, metric_name, metric_value, tags)
  SELECT r.id, series, r.started_at + sample * interval '100 ms', (ARRAY['throughput_qps', 'latency_p99_ms'])[series + 1],
    1000 + 10 * sin(sample + series), jsonb_build_object('unit', (ARRAY['1/s', 'ms'])[series + 1], 'interval_ms', 100)
  FROM simulation_runs r, generate_series(0, 1) series, generate_series(0, 49) sample;
COMMIT;
VACUUM ANALYZE;
