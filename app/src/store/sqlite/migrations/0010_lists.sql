-- What is listed page by page, newest first; ids are UUIDv7, so their order is the order in time.
create index executions_by_process on executions (process, id);
-- Most executions have completed; those that have not are few and looked for.
create index executions_by_status on executions (status, id) where status <> 'completed';

-- Questions to people, one row for each attempt of a step that asks.
create table approvals (
  id text not null primary key,
  tenant text not null,
  execution text not null,
  repository text not null,
  process text not null,
  step text not null,
  attempt integer not null,
  status text not null check (status in ('pending', 'approved', 'rejected', 'expired', 'cancelled')),
  url text,
  request text not null,
  decisions text not null,
  ended_at integer,
  unique (tenant, execution, step, attempt)
) strict;
create index approvals_by_status on approvals (status, id);

-- Processes that start nothing for the time being.
create table paused_processes (
  tenant text not null,
  repository text not null,
  process text not null,
  since integer not null,
  primary key (tenant, repository, process)
) strict, without rowid;

-- Keys that every server of this database signs with. They never leave it.
create table server_keys (
  name text not null primary key,
  key blob not null
) strict, without rowid;
