-- How often an effect was claimed. It tells two claims of one owner apart, so that the earlier cannot write or end it.
alter table effects add column claims integer not null default 0;
