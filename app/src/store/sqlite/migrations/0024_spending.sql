-- What models of an account (a tenant, a repository, a process, an agent) used in a calendar month, by currency; amounts in
-- billionths of it. Without a currency: what nobody knows the price of.
create table spending (
  tenant text not null,
  account text not null,
  month text not null,
  currency text not null,
  tokens integer not null,
  cost integer not null,
  reserved_tokens integer not null,
  reserved_cost integer not null,
  primary key (tenant, month, account, currency)
) strict, without rowid;

-- Budgets of which people were told that they are nearly used.
create table budget_alerts (
  tenant text not null,
  account text not null,
  month text not null,
  limits text not null,
  primary key (tenant, month, account, limits)
) strict, without rowid;
