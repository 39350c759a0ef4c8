"""Functions that SQL may call besides those that the parser knows by themselves: they work on their arguments alone.

Whatever is not here is refused: functions of a database's users and extensions may do anything.
"""

from __future__ import annotations

import re

_POSTGRES = """
    abbrev acosd age akeys area array_dims array_fill array_lower array_ndims array_positions array_replace
    array_to_json array_to_tsvector array_upper asind atan2d atand avals bit bool bound_box box broadcast btrim
    cardinality casefold center circle clock_timestamp convert_from convert_to cosd cosine_distance cotd crc32
    crc32c date datemultirange daterange decode diagonal diameter digest div each encode enum_first enum_last
    enum_range erf erfc every extract family float4 float8 format_type gamma gcd generate_subscripts get_byte
    getdatabaseencoding height hmac host hostmask hstore hstore_to_json hstore_to_jsonb inet_merge inet_same_family
    inner_product int2 int4 int4multirange int4range int8 int8multirange int8range interval is_normalized isclosed
    isempty isfinite ishorizontal isopen isparallel isperp isvertical json_agg json_agg_strict json_array
    json_array_elements json_array_elements_text json_array_length json_arrayagg json_build_array json_build_object
    json_each json_each_text json_exists json_extract_path json_extract_path_text json_object json_object_agg
    json_object_agg_strict json_object_agg_unique json_object_keys json_objectagg json_populate_record
    json_populate_recordset json_query json_scalar json_serialize json_strip_nulls json_to_record json_to_recordset
    json_to_tsvector json_typeof json_value jsonb_agg jsonb_agg_strict jsonb_array_elements
    jsonb_array_elements_text jsonb_array_length jsonb_build_array jsonb_build_object jsonb_each jsonb_each_text
    jsonb_extract_path jsonb_extract_path_text jsonb_insert jsonb_object jsonb_object_agg jsonb_object_keys
    jsonb_path_exists jsonb_path_exists_tz jsonb_path_match jsonb_path_match_tz jsonb_path_query
    jsonb_path_query_array jsonb_path_query_array_tz jsonb_path_query_first jsonb_path_query_first_tz
    jsonb_path_query_tz jsonb_populate_record jsonb_populate_recordset jsonb_pretty jsonb_set jsonb_set_lax
    jsonb_strip_nulls jsonb_to_record jsonb_to_recordset jsonb_to_tsvector jsonb_typeof justify_days justify_hours
    justify_interval l1_distance l2_distance l2_normalize lca lcm length line log10 lower_inc lower_inf lpad lseg
    ltrim macaddr8_set7bit make_date make_interval make_time make_timestamp make_timestamptz masklen max
    merge_action min_scale mod money multirange netmask network nlevel npoints num_nonnulls num_nulls numeric
    nummultirange numnode numrange octet_length overlaps parse_ident path pclose pg_column_size pg_input_is_valid
    pg_size_bytes pg_size_pretty pg_typeof phraseto_tsquery plainto_tsquery point polygon popen quote_ident
    quote_literal quote_nullable radius random_normal range_agg range_intersect_agg range_merge regexp_count
    regexp_instr regexp_like regexp_match regexp_matches regexp_split_to_array regexp_split_to_table regexp_substr
    row row_to_json rpad rtrim scale set_bit set_byte set_masklen setweight sha224 sha256 sha384 sha512 similarity
    sind skeys slice slope starts_with statement_timestamp strict_word_similarity string_to_table strip strpos
    subltree subpath subvector svals tand text textlen time timeofday timestamp timestamptz timetz timezone to_ascii
    to_bin to_date to_hex to_json to_jsonb to_number to_oct to_timestamp to_tsquery to_tsvector
    transaction_timestamp trim_array trim_scale ts_delete ts_filter ts_headline ts_rank ts_rank_cd tsmultirange
    tsquery_phrase tsrange tstzmultirange tstzrange tsvector_to_array unaccent unicode_assigned unistr upper_inc
    upper_inf uuid_extract_timestamp uuid_extract_version uuidv4 uuidv7 varchar vector_dims vector_norm
    websearch_to_tsquery width word_similarity xml xml_is_well_formed xmlagg xmlcomment xmlconcat xmlexists
    xmlforest xmlparse xmlroot xmlserialize xpath xpath_exists
"""

_MYSQL = """
    adddate addtime aes_decrypt aes_encrypt any_value bin bin_to_uuid bit_and bit_count bit_or bit_xor char
    coercibility column_add column_check column_create column_delete column_exists column_get column_json
    column_list compress conv convert_tz crc32 crc32c curdate current_role curtime date_format default export_set
    extractvalue field find_in_set format_bytes format_pico_time from_days from_unixtime get_format glength grouping
    inet6_aton inet6_ntoa inet_aton inet_ntoa is_ipv4 is_ipv4_compat is_ipv4_mapped is_ipv6 is_uuid isnull
    json_array json_arrayagg json_compact json_contains json_contains_path json_depth json_detailed json_equals
    json_exists json_insert json_length json_loose json_merge json_merge_patch json_merge_preserve json_normalize
    json_object json_objectagg json_overlaps json_pretty json_query json_quote json_replace json_schema_valid
    json_search json_storage_size json_table json_type json_unquote json_valid json_value lengthb locate log10 lpad
    ltrim make_set makedate maketime microsecond mid mod name_const natural_sort_key now oct octet_length ord
    period_add period_diff position quote random_bytes regexp_instr regexp_like regexp_substr row rpad rtrim
    sec_to_time sformat std strcmp subdate subtime sysdate time_format time_to_sec timediff timestampadd to_char
    to_number to_seconds trim uncompress uncompressed_length unix_timestamp updatexml uuid uuid_to_bin values
    vec_distance vec_distance_cosine vec_distance_euclidean vec_fromtext vec_totext weekday yearweek
"""

#: PostGIS and MySQL's own: shapes only, not rasters, which are files.
_SHAPES = re.compile(r"(?:st_|mbr)(?!\w*(?:raster|gdal|band|overview|tile))\w+")

_ALLOWED = {"postgres": frozenset(_POSTGRES.split()), "mysql": frozenset(_MYSQL.split())}


def is_unknown(name: str, dialect: str) -> bool:
    """Whether ``name`` (lower case), which the parser does not know, is none that may be called in ``dialect``.

    DuckDB's are all let through here: its instance is locked down, and the dangerous ones are refused by name.
    """
    allowed = _ALLOWED.get(dialect)
    return allowed is not None and name not in allowed and not _SHAPES.fullmatch(name)
