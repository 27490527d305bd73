/* SPDX-License-Identifier: BSD-2-Clause */
#include "mux/language.h"

#include <string.h>

/* ISO 639-1 and ISO 639-2/T, as the registration authority lists them. */
static const struct code {
    char two[3], three[4];
} codes[] = {
    {"aa", "aar"}, {"ab", "abk"}, {"ae", "ave"}, {"af", "afr"}, {"ak", "aka"}, {"am", "amh"},
    {"an", "arg"}, {"ar", "ara"}, {"as", "asm"}, {"av", "ava"}, {"ay", "aym"}, {"az", "aze"},
    {"ba", "bak"}, {"be", "bel"}, {"bg", "bul"}, {"bi", "bis"}, {"bm", "bam"}, {"bn", "ben"},
    {"bo", "bod"}, {"br", "bre"}, {"bs", "bos"}, {"ca", "cat"}, {"ce", "che"}, {"ch", "cha"},
    {"co", "cos"}, {"cr", "cre"}, {"cs", "ces"}, {"cu", "chu"}, {"cv", "chv"}, {"cy", "cym"},
    {"da", "dan"}, {"de", "deu"}, {"dv", "div"}, {"dz", "dzo"}, {"ee", "ewe"}, {"el", "ell"},
    {"en", "eng"}, {"eo", "epo"}, {"es", "spa"}, {"et", "est"}, {"eu", "eus"}, {"fa", "fas"},
    {"ff", "ful"}, {"fi", "fin"}, {"fj", "fij"}, {"fo", "fao"}, {"fr", "fra"}, {"fy", "fry"},
    {"ga", "gle"}, {"gd", "gla"}, {"gl", "glg"}, {"gn", "grn"}, {"gu", "guj"}, {"gv", "glv"},
    {"ha", "hau"}, {"he", "heb"}, {"hi", "hin"}, {"ho", "hmo"}, {"hr", "hrv"}, {"ht", "hat"},
    {"hu", "hun"}, {"hy", "hye"}, {"hz", "her"}, {"ia", "ina"}, {"id", "ind"}, {"ie", "ile"},
    {"ig", "ibo"}, {"ii", "iii"}, {"ik", "ipk"}, {"io", "ido"}, {"is", "isl"}, {"it", "ita"},
    {"iu", "iku"}, {"ja", "jpn"}, {"jv", "jav"}, {"ka", "kat"}, {"kg", "kon"}, {"ki", "kik"},
    {"kj", "kua"}, {"kk", "kaz"}, {"kl", "kal"}, {"km", "khm"}, {"kn", "kan"}, {"ko", "kor"},
    {"kr", "kau"}, {"ks", "kas"}, {"ku", "kur"}, {"kv", "kom"}, {"kw", "cor"}, {"ky", "kir"},
    {"la", "lat"}, {"lb", "ltz"}, {"lg", "lug"}, {"li", "lim"}, {"ln", "lin"}, {"lo", "lao"},
    {"lt", "lit"}, {"lu", "lub"}, {"lv", "lav"}, {"mg", "mlg"}, {"mh", "mah"}, {"mi", "mri"},
    {"mk", "mkd"}, {"ml", "mal"}, {"mn", "mon"}, {"mr", "mar"}, {"ms", "msa"}, {"mt", "mlt"},
    {"my", "mya"}, {"na", "nau"}, {"nb", "nob"}, {"nd", "nde"}, {"ne", "nep"}, {"ng", "ndo"},
    {"nl", "nld"}, {"nn", "nno"}, {"no", "nor"}, {"nr", "nbl"}, {"nv", "nav"}, {"ny", "nya"},
    {"oc", "oci"}, {"oj", "oji"}, {"om", "orm"}, {"or", "ori"}, {"os", "oss"}, {"pa", "pan"},
    {"pi", "pli"}, {"pl", "pol"}, {"ps", "pus"}, {"pt", "por"}, {"qu", "que"}, {"rm", "roh"},
    {"rn", "run"}, {"ro", "ron"}, {"ru", "rus"}, {"rw", "kin"}, {"sa", "san"}, {"sc", "srd"},
    {"sd", "snd"}, {"se", "sme"}, {"sg", "sag"}, {"si", "sin"}, {"sk", "slk"}, {"sl", "slv"},
    {"sm", "smo"}, {"sn", "sna"}, {"so", "som"}, {"sq", "sqi"}, {"sr", "srp"}, {"ss", "ssw"},
    {"st", "sot"}, {"su", "sun"}, {"sv", "swe"}, {"sw", "swa"}, {"ta", "tam"}, {"te", "tel"},
    {"tg", "tgk"}, {"th", "tha"}, {"ti", "tir"}, {"tk", "tuk"}, {"tl", "tgl"}, {"tn", "tsn"},
    {"to", "ton"}, {"tr", "tur"}, {"ts", "tso"}, {"tt", "tat"}, {"tw", "twi"}, {"ty", "tah"},
    {"ug", "uig"}, {"uk", "ukr"}, {"ur", "urd"}, {"uz", "uzb"}, {"ve", "ven"}, {"vi", "vie"},
    {"vo", "vol"}, {"wa", "wln"}, {"wo", "wol"}, {"xh", "xho"}, {"yi", "yid"}, {"yo", "yor"},
    {"za", "zha"}, {"zh", "zho"}, {"zu", "zul"},
};

/* The twenty languages whose bibliographic code differs: Matroska and old files use it. */
static const struct alias {
    char b[4], t[4];
} aliases[] = {
    {"alb", "sqi"}, {"arm", "hye"}, {"baq", "eus"}, {"bur", "mya"}, {"chi", "zho"},
    {"cze", "ces"}, {"dut", "nld"}, {"fre", "fra"}, {"geo", "kat"}, {"ger", "deu"},
    {"gre", "ell"}, {"ice", "isl"}, {"mac", "mkd"}, {"mao", "mri"}, {"may", "msa"},
    {"per", "fas"}, {"rum", "ron"}, {"slo", "slk"}, {"tib", "bod"}, {"wel", "cym"},
};

/* Locale-free: a tag is ASCII (RFC 5646 2.1). */
static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* The primary subtag in lower case; its length, or 0 where it is not two or three letters. */
static size_t primary(const char *tag, char out[4])
{
    size_t n = 0;
    while (n < 3 && is_letter(tag[n])) {
        out[n] = (char)(tag[n] | 0x20);
        n++;
    }
    out[n] = '\0';
    return n >= 2 && (tag[n] == '\0' || tag[n] == '-' || tag[n] == '_') ? n : 0;
}

void sl_language_iso639_2(const char *tag, char out[4])
{
    char code[4];
    size_t n = primary(tag, code);
    memcpy(out, "und", 4);
    if (n == 3) {
        memcpy(out, code, 4);
    }
    for (size_t i = 0; n == 3 && i < sizeof aliases / sizeof *aliases; i++) {
        if (!strcmp(aliases[i].b, code)) {
            memcpy(out, aliases[i].t, 4);
        }
    }
    for (size_t i = 0; n == 2 && i < sizeof codes / sizeof *codes; i++) {
        if (!strcmp(codes[i].two, code)) {
            memcpy(out, codes[i].three, 4);
        }
    }
}

void sl_language_bcp47(const char *tag, char out[16])
{
    char code[4], three[4];
    size_t n = primary(tag, code), used;
    out[0] = '\0';
    if (!n || !strcmp(code, "und")) {
        return;
    }
    sl_language_iso639_2(tag, three);
    for (size_t i = 0; n == 3 && i < sizeof codes / sizeof *codes; i++) {
        if (!strcmp(codes[i].three, three)) {
            memcpy(code, codes[i].two, 3);
        }
    }
    used = strlen(code);
    memcpy(out, code, used);
    for (const char *c = tag + n; *c && used < 15; c++) {
        bool digit = *c >= '0' && *c <= '9';
        if (!is_letter(*c) && !digit && *c != '-' && *c != '_') {
            break;
        }
        out[used++] = *c == '_' ? '-' : *c;
    }
    while (used && out[used - 1] == '-') {
        used--;
    }
    out[used] = '\0';
}
