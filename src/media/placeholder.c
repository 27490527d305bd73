extern int sl_placeholder_media; int sl_placeholder_media;
