# cmake -DFROM=page.html -DTO=page_html.h -DNAME=page_html -P embed.cmake: a file as a C array.
file(READ ${FROM} hex HEX)
string(REGEX REPLACE "(................................)" "\\1\n" hex "${hex}")
string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," hex "${hex}")
file(WRITE ${TO} "static const unsigned char ${NAME}[] = {\n${hex}0x00};\n")
