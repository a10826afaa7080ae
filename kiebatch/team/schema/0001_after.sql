-- Nothing older than version 1 needs anything taken away.
SELECT 1;
