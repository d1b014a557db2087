-- Processes with executions that are archived, or gone from the default branch, and since when that is known.
create table archived_processes (
  tenant text not null,
  repository text not null,
  process text not null,
  since integer not null,
  primary key (tenant, repository, process)
) strict, without rowid;
