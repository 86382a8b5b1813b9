-- How much of each limit on requests all processes together have taken in its present window. Counters that end
-- with their window, so they need no write-ahead log: after a crash of the server they begin anew.
create unlogged table fleetprompt.request_limits (
  -- A digest of the limit's name and of whom it counts, so that no address is kept.
  key text collate "C" primary key,
  quota integer not null,
  taken integer not null,
  -- What the last taker got.
  granted integer not null,
  ends_at timestamptz not null
);
create index request_limits_ends_index on fleetprompt.request_limits (ends_at);

-- Each row is written often and lives for a window.
alter table fleetprompt.request_limits set (
  fillfactor = 50,
  autovacuum_vacuum_scale_factor = 0,
  autovacuum_vacuum_threshold = 5000
);
