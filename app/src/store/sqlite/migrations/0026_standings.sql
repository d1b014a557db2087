-- How things stand that the audit log tells of when they change (settings), and how often they were noted to have changed.
create table standings (
  tenant text not null,
  name text not null,
  state text not null,
  changes integer not null,
  primary key (tenant, name)
) strict, without rowid;
