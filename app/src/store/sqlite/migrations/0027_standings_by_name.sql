-- What stands is looked for by how its name begins, of every tenant.
create index standings_by_name on standings (name, tenant);
