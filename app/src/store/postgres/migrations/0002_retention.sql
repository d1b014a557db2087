-- What belongs to an execution is found when it is forgotten.
create index words_of_execution on words (tenant, execution);
