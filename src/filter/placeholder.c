extern int sl_placeholder_filter; int sl_placeholder_filter;
