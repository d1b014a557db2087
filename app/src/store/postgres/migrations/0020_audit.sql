-- The audit log: one chain a tenant. A line is canonical JSON, which names the digest of the line before; rows are added and
-- read, never changed.
create table audit (
  tenant text not null,
  seq bigint not null,
  at bigint not null,
  line text not null,
  hash text not null,
  primary key (tenant, seq)
);

-- What is recorded only once: which definitions ran.
create table audit_once (
  tenant text not null,
  name text not null,
  primary key (tenant, name)
);
