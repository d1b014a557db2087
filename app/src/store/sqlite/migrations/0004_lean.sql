-- An execution's row is small, so that a step changes little: its state is what its events fold to, from the last
-- snapshot on. The position of an execution is what other tables refer to; it stays when the file is copied.

create table executions_lean (
  position integer primary key,
  tenant text not null,
  id text not null,
  version integer not null,
  repository text not null,
  process text not null,
  status text not null,
  open integer not null,
  number integer,
  start_key text,
  concurrency_group text,
  created_at integer not null,
  ended_at integer,
  wake_at integer,
  last_seq integer not null,
  -- Bytes of what the state is folded from, and of the events since: when they outgrow it there is a new snapshot.
  base_bytes integer not null,
  tail_bytes integer not null,
  unique (tenant, id)
) strict;
insert into executions_lean
  select rowid, tenant, id, version, repository, process, status, open, number, start_key, concurrency_group,
    created_at, null, wake_at, last_seq, length(state), 0
  from executions order by rowid;

-- States as they were at an event.
create table snapshots (
  execution integer primary key references executions (position),
  seq integer not null,
  state text not null
) strict;
insert into snapshots select rowid, last_seq, state from executions;
update executions_lean set ended_at = (
    select unixepoch(state ->> 'completed_at') * 1000000 from snapshots where execution = position)
  where open = 0;

-- The events of a transition, a JSON list; `seq` is that of the last one.
create table events_lean (
  position integer primary key,
  execution integer not null references executions (position),
  seq integer not null,
  delivery text,
  events text not null
) strict;
insert into events_lean (execution, seq, delivery, events)
  select executions.rowid, events.seq, events.delivery, '[' || events.event || ']'
  from events join executions on executions.tenant = events.tenant and executions.id = events.execution
  order by events.rowid;

create table work_lean (
  position integer primary key,
  execution integer not null references executions (position),
  step text not null,
  attempt integer not null,
  claims integer not null,
  lease_owner text,
  lease_until integer,
  unique (execution, step, attempt)
) strict;
insert into work_lean
  select work.position, executions.rowid, work.step, work.attempt, work.claims, work.lease_owner, work.lease_until
  from work join executions on executions.tenant = work.tenant and executions.id = work.execution;

drop table work;
drop table events;
drop table executions;
alter table work_lean rename to work;
alter table events_lean rename to events;
alter table executions_lean rename to executions;

create unique index events_of_execution on events (execution, seq);
create unique index executions_by_start_key on executions (tenant, start_key) where start_key is not null;
create index executions_by_id on executions (id);
create index executions_due on executions (wake_at) where wake_at is not null;
create index executions_of_number on executions (tenant, repository, number);
create index executions_of_group on executions (tenant, concurrency_group, status)
  where concurrency_group is not null and open = 1;
create index executions_by_end on executions (ended_at) where ended_at is not null;
