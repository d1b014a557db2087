-- Transitions that the event stream is still to be told of: the number of their last event. Empty without a stream.
create table untold_events (
  position integer primary key autoincrement,
  execution integer not null references executions (position),
  seq integer not null
) strict;
create index untold_events_of_execution on untold_events (execution);

-- What one server does at a time.
create table leases (
  name text not null primary key,
  owner text not null,
  until integer not null
) strict, without rowid;
