-- Large outputs are files beside the database, by tenant and digest; here is which there are, and who names them.
create table outputs (
  tenant text not null,
  digest text not null,
  bytes integer not null,
  kept_at integer not null,
  primary key (tenant, digest)
) strict, without rowid;
create index outputs_by_age on outputs (kept_at);

create table output_uses (
  execution integer not null references executions (position),
  tenant text not null,
  digest text not null,
  primary key (execution, digest)
) strict, without rowid;
create index output_uses_of_output on output_uses (tenant, digest);
