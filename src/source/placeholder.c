extern int sl_placeholder_source; int sl_placeholder_source;
