-- Executions of one group run one after the other; the one that waits longest is told when its turn comes.
alter table executions add column concurrency_group text;
create index executions_of_group on executions (tenant, concurrency_group, status)
  where concurrency_group is not null and open = 1;

-- Events given to the API, each once per id.
create table api_events (
  tenant text not null,
  id text not null,
  name text not null,
  payload text not null,
  at integer not null,
  primary key (tenant, id)
) strict;
create index api_events_by_name on api_events (tenant, name, at);
create index api_events_by_age on api_events (at);

-- Which executions wait for which events.
create table event_waits (
  tenant text not null,
  execution text not null,
  step text not null,
  name text not null,
  since integer not null,
  primary key (tenant, execution, step),
  foreign key (tenant, execution) references executions (tenant, id)
) strict, without rowid;
create index event_waits_by_name on event_waits (tenant, name, since);

-- What executions are still to be told: by each other, and by events. One of both is there: the signal, or the event.
create table signals (
  id integer primary key autoincrement,
  tenant text not null,
  execution text not null,
  signal text,
  event text,
  not_before integer not null,
  check ((signal is null) <> (event is null)),
  foreign key (tenant, execution) references executions (tenant, id),
  foreign key (tenant, event) references api_events (tenant, id)
) strict;
create index signals_of_execution on signals (tenant, execution, id);
create index signals_due on signals (not_before, id);
create unique index signals_of_event on signals (tenant, execution, event) where event is not null;

-- What may start executions, or is to be told to somebody, and has not been looked at yet.
create table occurrences (
  id integer primary key autoincrement,
  tenant text not null,
  body text not null,
  attempts integer not null default 0,
  not_before integer not null,
  lease_owner text,
  lease_until integer
) strict;
create index occurrences_due on occurrences (not_before, id);

-- Repositories that something was heard of.
create table repositories (
  tenant text not null,
  name text not null,
  primary key (tenant, name)
) strict, without rowid;
insert or ignore into repositories (tenant, name)
  select distinct tenant, repository from executions;

-- Up to when the slots of a time table have been dealt with.
create table schedules (
  tenant text not null,
  repository text not null,
  process text not null,
  timetable text not null,
  handled_until integer not null,
  primary key (tenant, repository, process, timetable)
) strict, without rowid;
