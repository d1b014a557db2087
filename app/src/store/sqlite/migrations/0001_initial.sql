-- Times are microseconds since 1970 in UTC; ids of executions are UUIDs in text; JSON is text.
-- Every row belongs to a tenant, but for deliveries that no tenant can be told of.

create table installations (
  id integer not null primary key,
  tenant text not null,
  suspended integer not null,
  deleted integer not null
) strict;
create index installations_of_tenant on installations (tenant, deleted, id);

-- The inbox: webhooks as they came, in the order in which they came.
create table deliveries (
  position integer primary key autoincrement,
  id text not null unique,
  event text not null,
  action text,
  installation_id integer,
  tenant text,
  repository text,
  ordering_key text not null,
  body blob not null,
  received_at integer not null,
  status text not null check (status in ('pending', 'done', 'ignored', 'failed')),
  reason text,
  attempts integer not null default 0,
  retry_at integer not null default 0,
  lease_owner text,
  lease_until integer
) strict;
create index deliveries_pending on deliveries (ordering_key, position) where status = 'pending';
create index deliveries_pending_by_age on deliveries (position) where status = 'pending';

create table executions (
  tenant text not null,
  id text not null,
  version integer not null,
  repository text not null,
  process text not null,
  status text not null,
  open integer not null,
  number integer,
  start_key text,
  created_at integer not null,
  wake_at integer,
  last_seq integer not null,
  state text not null,
  primary key (tenant, id)
) strict;
create unique index executions_by_start_key on executions (tenant, start_key) where start_key is not null;
create index executions_due on executions (wake_at) where wake_at is not null;
create index executions_of_number on executions (tenant, repository, number, open);
create index executions_by_id on executions (id);

create table events (
  tenant text not null,
  execution text not null,
  seq integer not null,
  type text not null,
  at integer not null,
  delivery text,
  event text not null,
  primary key (tenant, execution, seq),
  foreign key (tenant, execution) references executions (tenant, id)
) strict;

-- What people said, each word once.
create table words (
  tenant text not null,
  word text not null,
  execution text not null,
  primary key (tenant, word),
  foreign key (tenant, execution) references executions (tenant, id)
) strict, without rowid;

-- Attempts that somebody must perform.
create table work (
  position integer primary key autoincrement,
  tenant text not null,
  execution text not null,
  step text not null,
  attempt integer not null,
  claims integer not null default 0,
  lease_owner text,
  lease_until integer,
  unique (tenant, execution, step, attempt),
  foreign key (tenant, execution) references executions (tenant, id)
) strict;

-- The outbox: what the world must be told, one row a key.
create table effects (
  id integer primary key autoincrement,
  tenant text not null,
  installation_id integer not null,
  key text not null,
  priority integer not null,
  payload text not null,
  not_before integer not null,
  retry_at integer not null default 0,
  attempts integer not null default 0,
  generation integer not null default 1,
  status text not null check (status in ('pending', 'failed')),
  reason text,
  lease_owner text,
  lease_until integer,
  unique (tenant, key)
) strict;
create index effects_pending on effects (installation_id, priority, not_before, id) where status = 'pending';
create index effects_leased on effects (installation_id, lease_until) where lease_until is not null;

-- What stands on GitHub for an execution.
create table github_comments (
  tenant text not null,
  execution text not null,
  comment_id integer not null,
  rendered_version integer not null,
  primary key (tenant, execution),
  foreign key (tenant, execution) references executions (tenant, id)
) strict, without rowid;

create table github_check_runs (
  tenant text not null,
  execution text not null,
  seq integer not null,
  id integer not null,
  head_sha text not null,
  status text not null,
  conclusion text,
  rendered_version integer not null,
  primary key (tenant, execution, seq),
  foreign key (tenant, execution) references executions (tenant, id)
) strict, without rowid;
