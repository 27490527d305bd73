extern int sl_placeholder_api; int sl_placeholder_api;
