extern int sl_placeholder_encode; int sl_placeholder_encode;
