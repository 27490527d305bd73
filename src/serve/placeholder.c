extern int sl_placeholder_serve; int sl_placeholder_serve;
