-- Where the default branches of repositories on this machine stood when they were last looked at, and how often they moved.
create table branches (
  tenant text not null,
  repository text not null,
  branch text not null,
  head text not null,
  moves integer not null,
  primary key (tenant, repository, branch)
) strict, without rowid;
