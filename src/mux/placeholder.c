extern int sl_placeholder_mux; int sl_placeholder_mux;
