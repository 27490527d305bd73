extern int sl_placeholder_demux; int sl_placeholder_demux;
