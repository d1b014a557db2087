-- What of GitHub was dealt with, whichever way it was heard of.
create table heard (
  tenant text not null,
  what text not null,
  delivery text not null,
  at integer not null,
  primary key (tenant, what)
) strict, without rowid;
create index heard_by_age on heard (at);

-- How repositories were called, by GitHub's id, which outlives names.
create table repository_names (
  id integer not null,
  tenant text not null,
  name text not null,
  at integer not null,
  primary key (id, name)
) strict, without rowid;
create index repository_names_by_name on repository_names (tenant, name, at);
