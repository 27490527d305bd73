extern int sl_placeholder_decode; int sl_placeholder_decode;
