#include "default_model.h"

#include <stdio.h>
#include <stdlib.h>

#include "say.h"

enum { PATH_SIZE = 4096 };

static bool exists(const char *path)
{
    FILE *file = fopen(path, "rb");
    if (file) {
        fclose(file);
    }
    return file != NULL;
}

static bool find_in(const char *folder, char *model, char *mmproj)
{
    const int a = snprintf(model, PATH_SIZE, "%s/llm-winnow-qa.gguf", folder),
              b = snprintf(mmproj, PATH_SIZE, "%s/mmproj-winnow-qa.gguf", folder);
    return a > 0 && b > 0 && a < PATH_SIZE && b < PATH_SIZE && exists(model) && exists(mmproj);
}

bool default_model_find(const char **model, const char **mmproj)
{
    static char paths[2][PATH_SIZE];
    const char *named = getenv("WINNOW_QA_MODEL");
    *model = paths[0];
    *mmproj = paths[1];
    if (named && named[0]) {
        return find_in(named, paths[0], paths[1]) ||
               say_failed("%s: llm-winnow-qa.gguf and mmproj-winnow-qa.gguf are not both there "
                          "(WINNOW_QA_MODEL names this folder)",
                          named);
    }
    return find_in(WINNOW_QA_SOURCE, paths[0], paths[1]) ||
           find_in(WINNOW_QA_SHARE, paths[0], paths[1]) ||
           say_failed("the default model is neither in %s nor in %s (give a model's two "
                      "files, or WINNOW_QA_MODEL=FOLDER)",
                      WINNOW_QA_SOURCE, WINNOW_QA_SHARE);
}

bool default_film_find(const char **film)
{
    *film = WINNOW_QA_FILM;
    return exists(*film) ||
           say_failed("the sample film is not at %s (name a VIDEO or IMAGE)", WINNOW_QA_FILM);
}

bool check_file(const char *path)
{
    return exists(path) || say_failed("%s: it cannot be opened", path);
}
