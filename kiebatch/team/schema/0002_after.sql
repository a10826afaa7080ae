-- Version 1 had nothing that version 2 takes away.
SELECT 1;
