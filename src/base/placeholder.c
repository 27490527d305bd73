extern int sl_placeholder_base; int sl_placeholder_base;
