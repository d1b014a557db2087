-- The audit log: one chain a tenant. A line is canonical JSON, which names the digest of the line before; rows are added and
-- read, never changed.
create table audit (
  tenant text not null,
  seq integer not null,
  at integer not null,
  line text not null,
  hash text not null,
  primary key (tenant, seq)
) strict, without rowid;

-- What is recorded only once: which definitions ran.
create table audit_once (
  tenant text not null,
  name text not null,
  primary key (tenant, name)
) strict, without rowid;
